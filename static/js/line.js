// The line of a timeline: sent by Enter without a new page. The box is free for the next line at
// once. What could not be written down stands above it with its reason and the answers to that,
// until it is dealt with; into a box that is free it is put back, marked, so that the next one typed
// replaces it. What is not dealt with outlives the page: see keep.js.
"use strict";

(() => {
  const form = document.getElementById("entry");
  if (!form || !form.dataset.lineTo) return;
  const box = form.elements.namedItem("line");
  const answer = document.getElementById("entry-reading");
  const aside = document.getElementById("entry-aside");
  // Milliseconds after which a desk that does not answer is taken as away.
  const PATIENCE = 15_000;
  // What is said of a line that stands above the box.
  const WORDS = { refused: "Not written down", aside: "Set aside", sent: "Sent, and not answered" };
  let unsent = null;
  let queue = Promise.resolve();

  const newKey = () =>
    [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

  const changed = () => box.dispatchEvent(new Event("input", { bubbles: true }));

  // A line is kept from the moment on at which it is sent, until it is dealt with.
  const keep = (sent) => {
    const said = [...(sent.data || [])].filter(([name]) => name !== "csrfmiddlewaretoken");
    const why = (sent.why || []).map((part) => part.outerHTML).join("");
    const { line, key, at, kind } = sent;
    window.kept?.put(form, key, { line, key, at, kind, why, said, isInBox: sent === unsent });
  };

  // What stands above the box is kept there, and not once more as what is typed.
  const keepBox = (isApart) => {
    if (isApart) box.dataset.keptApart = "";
    else delete box.dataset.keptApart;
  };
  const dropBox = () => form.dispatchEvent(new CustomEvent("kept:sent", { bubbles: true }));

  const clockOf = (at) => {
    const moment = new Date(at);
    const clock = moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const isToday = moment.toDateString() === new Date().toDateString();
    return ` at ${clock}${isToday ? "" : ` on ${moment.toLocaleDateString()}`}`;
  };

  const reason = (text) => {
    const word = document.createElement("p");
    word.className = "write__refusal";
    word.textContent = text;
    return [word];
  };

  const button = (label, deed) => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "button button--small";
    made.textContent = label;
    made.addEventListener("click", deed);
    return made;
  };

  // The box holds another line by now: what stood there can be put back again.
  const release = () => {
    const known = unsent;
    unsent = null;
    keepBox(false);
    if (!known?.back) {
      if (known) setAside(known);
      return;
    }
    known.back.hidden = false;
    keep(known);
  };

  const put = (sent) => {
    release();
    dropBox();
    box.value = sent.line;
    form.elements.namedItem("is_public").checked = sent.data?.get("is_public") === "on";
    unsent = sent;
    keepBox(true);
    if (sent.back) sent.back.hidden = true;
    keep(sent);
  };

  const forget = (sent) => {
    sent.row?.remove();
    window.kept?.drop(form, sent.key);
    if (unsent !== sent) return;
    unsent = null;
    keepBox(false);
  };

  // A place of its own: the answer below the box comes and goes.
  const setAside = (sent, why = [], kind = "refused", since = "") => {
    const row = document.createElement("div");
    row.className = "write__aside stack";
    row.dataset.key = sent.key;
    const said = document.createElement("p");
    said.textContent = `${WORDS[kind]}${since}: “${sent.line.length > 120 ? `${sent.line.slice(0, 119)}…` : sent.line}”`;
    Object.assign(sent, { row, why, kind });
    sent.back = button("Put it back", () => {
      // What is typed there meanwhile is not lost by it.
      const typed = box.value;
      if (typed.trim() && typed !== unsent?.line) {
        if (unsent) forget(unsent);
        setAside({ line: typed, key: newKey(), at: Date.now() }, [], "aside");
      }
      put(sent);
      answer.replaceChildren();
      box.focus();
    });
    const deeds = document.createElement("p");
    deeds.className = "row";
    deeds.append(
      sent.back,
      button("Let it go", () => {
        if (unsent === sent && box.value === sent.line) {
          box.value = "";
          changed();
        }
        forget(sent);
        box.focus();
      }),
    );
    row.append(said, ...why, deeds);
    for (const chosen of row.querySelectorAll("button[name]")) {
      chosen.type = "button";
      chosen.addEventListener("click", (event) => {
        event.stopPropagation();
        if (unsent === sent && box.value === sent.line) {
          box.value = "";
          changed();
        }
        forget(sent);
        again(sent, chosen);
      });
    }
    aside.append(row);
    keep(sent);
  };

  const giveBack = (sent, why) => {
    setAside(sent, why);
    if (box.value) return;
    put(sent);
    // Whoever writes elsewhere by now is left there.
    if (document.activeElement === box) box.select();
  };

  // Come back to by a click, too: the press itself would put the cursor behind it.
  box.addEventListener("focus", () => {
    if (unsent && box.value === unsent.line) window.setTimeout(() => box.select());
  });

  // Typed over as a whole, it is another line: the one that was refused is not lost by it.
  box.addEventListener("beforeinput", (event) => {
    // Enter sends it, and types nothing.
    if (event.inputType === "insertLineBreak") return;
    const isWhole = box.selectionStart === 0 && box.selectionEnd === box.value.length;
    if (unsent && isWhole && box.value === unsent.line) release();
  });

  const send = async (sent) => {
    let response;
    try {
      response = await fetch(form.dataset.lineTo, {
        method: "POST",
        body: sent.data,
        signal: AbortSignal.timeout(PATIENCE),
      });
    } catch {
      giveBack(sent, reason("No answer from the desk. The line was not written down, or nobody could say so; sent again, it is written once."));
      return;
    }
    if (response.headers.has("X-Load-Again")) {
      giveBack(sent, reason("This page is out of date: the browser's cookies were cleared, or you signed in or out in another tab. Load it again; the line is kept."));
      return;
    }
    if (response.redirected) {
      giveBack(sent, reason("You are signed out. Sign in in another tab, then send the line again."));
      return;
    }
    if (response.status === 200) {
      answer.innerHTML = await response.text();
      forget(sent);
      window.htmx.trigger(document.body, "look");
      return;
    }
    if (response.status === 422) {
      const refusal = new DOMParser().parseFromString(await response.text(), "text/html");
      giveBack(sent, [...refusal.body.children].map((part) => document.importNode(part, true)));
      return;
    }
    const why = response.status === 413 ? "That is too much at once." : "The desk could not do it.";
    giveBack(sent, reason(`${why} The line was not written down.`));
  };

  const later = (sent) => {
    Object.assign(sent, { at: Date.now(), kind: "sent" });
    keep(sent);
    queue = queue.then(() => send(sent));
  };

  // The answer to a refusal: another line in its place, or a milestone that is moved.
  const again = (sent, chosen) => {
    const data = new FormData();
    for (const [name, value] of sent.data) data.set(name, value);
    const key = newKey();
    const line = chosen.dataset.line || sent.line;
    data.set("line", line);
    data.set("key", key);
    if (!chosen.dataset.line) data.set(chosen.name, chosen.value);
    box.focus();
    later({ line, key, data });
  };

  form.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    event.preventDefault();
    const line = box.value;
    if (!line.trim()) return;
    // The same line again is the same entry; another line is another one.
    const key = (unsent?.line === line && unsent.key) || newKey();
    form.elements.namedItem("key").value = key;
    const sent = { line, key, data: new FormData(form) };
    const chosen = event.submitter;
    if (chosen?.name) sent.data.set(chosen.name, chosen.value);
    // Sent again, mended or not, it is dealt with.
    if (unsent) forget(unsent);
    box.value = "";
    window.htmx.trigger(box, "htmx:abort");
    form.elements.namedItem("is_public").checked = false;
    answer.replaceChildren();
    box.removeAttribute("aria-invalid");
    form.querySelector(".errorlist")?.remove();
    box.focus();
    later(sent);
    dropBox();
  });

  // Of an empty box nothing is to be read; asked all the same, the answer to what was sent goes.
  // So it is with a line that came back: why it came back stands there until it is changed.
  box.addEventListener("htmx:beforeRequest", (event) => {
    if (!box.value.trim() || box.value === unsent?.line) event.preventDefault();
  });
  box.addEventListener("input", () => {
    if (box.value.trim()) return;
    answer.replaceChildren();
    release();
  });

  // Mended, it is what is typed, and kept as such.
  box.addEventListener("input", () => {
    if (unsent && box.value !== unsent.line) keepBox(false);
  });

  // So it is with one that came back with its page.
  if (box.getAttribute("aria-invalid") === "true" && box.value) {
    unsent = { line: box.value, key: form.elements.namedItem("key").value, at: Date.now() };
    box.select();
  }

  // What an earlier page left behind stands here again, with its reason; the box is free.
  const comeBack = ({ line, key, at, kind, why, said, isInBox }) => {
    const data = new FormData(form);
    data.delete("is_public");
    for (const [name, value] of [...said, ["line", line], ["key", key]]) data.set(name, value);
    const told = new DOMParser().parseFromString(why, "text/html").body.children;
    const parts = [...told].map((part) => document.importNode(part, true));
    const left = "The page was left before the desk had answered. Sent again, it is written once.";
    const sent = { line, key, at, data };
    setAside(sent, kind === "sent" && !why ? reason(left) : parts, kind, clockOf(at));
    // It was being mended: what is typed takes its place.
    if (!isInBox || !box.value) return;
    unsent = sent;
    sent.back.hidden = true;
    keep(sent);
  };
  for (const piece of window.kept?.all(form) ?? []) comeBack(piece);
  window.kept?.onDrop(form, (key) => {
    if (unsent?.key !== key) aside.querySelector(`[data-key="${CSS.escape(key)}"]`)?.remove();
  });

  // An answer offers lines to send instead.
  document.addEventListener("click", (event) => {
    const offered = event.target.closest?.("[data-line]");
    if (!offered?.dataset.line) return;
    event.preventDefault();
    box.value = offered.dataset.line;
    box.focus();
    changed();
  });
})();
