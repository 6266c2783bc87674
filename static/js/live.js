// Lets a timeline renew itself without touching what has not changed: focus, open details, scroll
// and what is being read stay. Parts that renew themselves rest while nobody looks.
"use strict";

(() => {
  const timeline = () => document.getElementById("timeline");
  if (!timeline()) return;

  const sameAttributes = (old, now) => {
    for (const { name } of [...old.attributes]) {
      if (!now.hasAttribute(name) && name !== "tabindex") old.removeAttribute(name);
    }
    for (const { name, value } of now.attributes) {
      // Replacing the classes would take away those that htmx has set meanwhile.
      if (name !== "class" && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
  };

  // Brings old in line with now, in place. Children go by their ids; data-v says what they show.
  const renew = (old, now) => {
    if (now.dataset.v && old.dataset.v === now.dataset.v) return old;
    if (!now.hasAttribute("data-parts")) {
      const open = new Set([...old.querySelectorAll("details[open]")].map((one) => one.parentElement.id));
      const fresh = document.importNode(now, true);
      for (const one of fresh.querySelectorAll("details")) {
        const place = one.parentElement === fresh ? fresh.id : one.parentElement.id;
        if (open.has(place)) one.open = true;
      }
      old.replaceWith(fresh);
      return fresh;
    }
    sameAttributes(old, now);
    let cursor = old.firstElementChild;
    for (const child of [...now.children]) {
      const known = child.id && old.querySelector(`:scope > [id="${CSS.escape(child.id)}"]`);
      if (known && known === cursor) {
        cursor = cursor.nextElementSibling;
        renew(known, child);
      } else if (known) {
        old.insertBefore(known, cursor);
        renew(known, child);
      } else {
        old.insertBefore(document.importNode(child, true), cursor);
      }
    }
    while (cursor) {
      const gone = cursor;
      cursor = cursor.nextElementSibling;
      gone.remove();
    }
    return old;
  };

  const keepFocus = (deed) => {
    const id = document.activeElement?.id;
    deed();
    const again = id && document.getElementById(id);
    if (!again || again === document.activeElement) return;
    if (!again.matches("a[href], button, input, select, textarea, summary")) again.tabIndex = -1;
    again.focus({ preventScroll: true });
  };

  // Whoever is at an entry, or reads within the list, stays at the same line; whoever is above it,
  // writing, sees what is new come in beneath.
  const keepPlace = (deed) => {
    const isInside = timeline().getBoundingClientRect().top < 0;
    const rows = isInside ? [...timeline().querySelectorAll(".entry")] : [];
    const line =
      (timeline().contains(document.activeElement) && document.activeElement.closest(".entry")) ||
      rows.find((row) => row.getBoundingClientRect().top >= 0);
    const before = line && line.getBoundingClientRect().top;
    deed();
    const same = line && document.getElementById(line.id);
    if (same) window.scrollBy(0, same.getBoundingClientRect().top - before);
  };

  const look = (name) => window.htmx.trigger(document.body, name);

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { target, xhr } = event.detail;
    if (target.id !== "timeline" || xhr.status !== 200) return;
    const now = new DOMParser().parseFromString(xhr.responseText, "text/html").getElementById("timeline");
    if (!now) return;
    event.detail.shouldSwap = false;
    keepPlace(() => keepFocus(() => renew(timeline(), now)));
    // Whatever is done leaves an entry: the other parts of the page have news, too.
    look("changed");
  });

  // A tab that nobody sees asks nothing; seen again, it asks at once.
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && event.detail.requestConfig.verb === "get") event.preventDefault();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) look("look");
  });

  // What a button of an entry does is done without a new page; word of it stands above the list.
  document.addEventListener("submit", (event) => {
    if (event.target.id !== "entry-deeds" || event.defaultPrevented) return;
    event.preventDefault();
    const form = event.target;
    window.htmx
      .ajax("POST", event.submitter.formAction, {
        source: form,
        target: "#entry-undo",
        swap: "innerHTML",
      })
      .then(() => look("look"));
  });

  // The zone of this browser is a choice, too.
  const own = document.querySelector("[data-own-zone]");
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (own && zone && zone !== own.dataset.ownZone) {
    own.href = own.getAttribute("href").replace("ZONE", encodeURIComponent(zone));
    own.textContent = `Yours: ${zone}`;
    own.hidden = [...own.parentElement.querySelectorAll("a:not([data-own-zone])")].some(
      (other) => other.textContent.replace(/\u200b/g, "") === zone.replaceAll("_", " "),
    );
  }
})();
