// What is typed into a form with data-keep stays in this browser until it has been sent: through a
// lost line, a closed tab, a machine that falls asleep. Never passwords, files or hidden fields.
// With data-keep-briefly it stays in its tab alone, and goes with that. Whoever signs out leaves
// nothing behind, and whoever signs in finds nothing of another's.
"use strict";

(() => {
  const PREFIX = "kept:";
  const MARK = "kept-sending";
  // A page that answers a form begins to load right when that is sent; milliseconds.
  const AT_ONCE = 1500;
  // The line of a lost desk is noticed within so many milliseconds.
  const PATIENCE = 4000;
  // No text of the desk is longer; what is, is a file.
  const MOST = 500_000;
  // Kept no longer than a fortnight: a shared machine forgets.
  const OLD = 14 * 24 * 3600 * 1000;

  // Whose words are kept here: another reader of this browser finds none of them.
  const OWNER = "kept-by";

  let lasting;
  let brief;
  try {
    lasting = window.localStorage;
    brief = window.sessionStorage;
    lasting.getItem(PREFIX);
    brief.getItem(PREFIX);
  } catch {
    return;
  }
  const stores = [lasting, brief];
  // After signing out nothing is kept any more, whatever a page that is left still wants to keep.
  let isOver = false;

  const forget = () => {
    for (const store of stores) {
      for (const name of Object.keys(store)) {
        if (name.startsWith(PREFIX) || name === MARK || name === OWNER) store.removeItem(name);
      }
    }
  };

  const reader = document.body.dataset.reader;
  if (reader) {
    const owner = lasting.getItem(OWNER);
    if (owner && owner !== reader) forget();
    try {
      lasting.setItem(OWNER, reader);
    } catch {
      // A full store keeps what it has.
    }
  }
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-signs-out]")) return;
    isOver = true;
    forget();
  });
  // Another tab has signed out: what stands in this one is not kept again either.
  window.addEventListener("storage", (event) => {
    if (event.key !== OWNER || event.newValue === reader) return;
    isOver = true;
    forget();
  });

  const fields = (form) =>
    [...form.elements].filter(
      (field) =>
        field.name &&
        field.matches("input, textarea, select") &&
        // What a script keeps by itself: see line.js.
        !("keptApart" in field.dataset) &&
        !["hidden", "password", "file", "submit", "button"].includes(field.type),
    );
  const isBox = (field) => field.type === "checkbox" || field.type === "radio";
  const value = (field) => (isBox(field) ? field.checked : field.value);
  const initial = (field) => {
    if (isBox(field)) return field.defaultChecked;
    if (!field.matches("select")) return field.defaultValue;
    const chosen = [...field.options].find((option) => option.defaultSelected) || field.options[0];
    return chosen ? chosen.value : "";
  };
  // Which version of an entry was read goes with what is typed about it.
  const version = (form) => form.elements.namedItem("version");
  // In which zone its times are typed: in another one they would mean something else.
  const zone = (form) => form.elements.namedItem("in_zone")?.value;
  const nameOf = (form) => PREFIX + form.dataset.keep;
  // Of several boxes of one name, each has a value of its own.
  const key = (field) => (isBox(field) && field.value !== "on" ? `${field.name}=${field.value}` : field.name);

  const storeOf = (form) => ("keepBriefly" in form.dataset ? brief : lasting);
  const read = (form) => {
    try {
      return JSON.parse(storeOf(form).getItem(nameOf(form)));
    } catch {
      return null;
    }
  };
  const drop = (name) => stores.forEach((store) => store.removeItem(name));
  // Beside its fields, a form may have more that is kept, each piece under a name behind its own.
  const apart = (form, name) => `${nameOf(form)}:${name}`;
  const isOf = (form, name) => name === nameOf(form) || name.startsWith(apart(form, ""));
  // What became private after it was typed goes with its tab, too.
  const move = (form) => {
    if (storeOf(form) !== brief) return;
    for (const name of Object.keys(lasting).filter((each) => isOf(form, each))) {
      const kept = lasting.getItem(name);
      lasting.removeItem(name);
      try {
        if (brief.getItem(name) === null) brief.setItem(name, kept);
      } catch {
        // A full store keeps what it has.
      }
    }
  };

  // Pieces of their own, for other scripts: each is an object with the moment at which it was kept.
  window.kept = {
    put(form, name, piece) {
      if (isOver) return;
      try {
        storeOf(form).setItem(apart(form, name), JSON.stringify({ at: Date.now(), ...piece }));
      } catch {
        // A full store keeps what it has.
      }
    },
    drop(form, name) {
      drop(apart(form, name));
    },
    // The oldest first; what is too old, or no such piece, goes.
    all(form) {
      const store = storeOf(form);
      const found = [];
      for (const name of Object.keys(store).filter((each) => each.startsWith(apart(form, "")))) {
        let piece = null;
        try {
          piece = JSON.parse(store.getItem(name));
        } catch {
          // It is dropped below.
        }
        if (piece && Date.now() - piece.at <= OLD) found.push(piece);
        else store.removeItem(name);
      }
      return found.sort((one, other) => one.at - other.at);
    },
    // Somebody has dealt with a piece in another tab.
    onDrop(form, deed) {
      window.addEventListener("storage", (event) => {
        if (event.newValue !== null || !event.key?.startsWith(apart(form, ""))) return;
        deed(event.key.slice(apart(form, "").length));
      });
    },
  };

  // What was kept once stays so: a form that is shown again begins with what was typed before.
  const save = (form) => {
    if (isOver) return;
    const known = read(form)?.said || {};
    const typed = fields(form).filter((field) => key(field) in known || value(field) !== initial(field));
    if (!typed.length) return;
    const said = Object.fromEntries(typed.map((field) => [key(field), value(field)]));
    try {
      storeOf(form).setItem(nameOf(form), JSON.stringify({ at: Date.now(), said, version: version(form)?.value, zone: zone(form) }));
    } catch {
      // A full store keeps what it has.
    }
  };

  const word = (form, text, ...deeds) => {
    form.querySelector(":scope > .kept")?.remove();
    const line = document.createElement("p");
    line.className = "kept notice is-waiting row row--apart";
    line.setAttribute("role", "status");
    const said = document.createElement("span");
    said.textContent = text;
    line.append(said);
    for (const [label, deed] of deeds) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "link";
      button.textContent = label;
      button.addEventListener("click", () => {
        line.remove();
        deed();
      });
      line.append(button);
    }
    form.prepend(line);
  };

  const put = (field, said) => {
    if (isBox(field)) field.checked = said;
    else field.value = said;
  };

  const discard = (form) => {
    drop(nameOf(form));
    for (const field of fields(form)) put(field, initial(field));
  };

  const restore = (form) => {
    const kept = read(form);
    if (!kept || Date.now() - kept.at > OLD) {
      drop(nameOf(form));
      return;
    }
    const means = (field) => field.type !== "datetime-local" || kept.zone === zone(form);
    const lost = fields(form).filter(
      (field) => key(field) in kept.said && value(field) !== kept.said[key(field)] && means(field),
    );
    if (!lost.length) return;
    for (const field of lost) put(field, kept.said[key(field)]);
    if (kept.version && version(form)) version(form).value = kept.version;
    for (const field of lost) field.closest("details")?.setAttribute("open", "");
    const at = new Date(kept.at);
    const clock = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const day = at.toDateString() === new Date().toDateString() ? "" : ` on ${at.toLocaleDateString()}`;
    word(form, `Restored what you typed at ${clock}${day}.`, ["Discard", () => discard(form)]);
  };

  // A form that was answered by another page has arrived; one that is shown again has not.
  const mark = (() => {
    try {
      const found = JSON.parse(brief.getItem(MARK));
      brief.removeItem(MARK);
      return found;
    } catch {
      return null;
    }
  })();
  const [travel] = performance.getEntriesByType("navigation");
  const isSignIn = window.location.pathname.startsWith("/desk/login");
  if (mark && travel?.redirectCount > 0 && !isSignIn && Math.abs(performance.timeOrigin - mark.at) < AT_ONCE) {
    drop(mark.name);
  }

  // The page behind a form that was not taken says that its words are still here.
  const says = document.querySelector("[data-says-kept]");
  if (says && mark && stores.some((store) => store.getItem(mark.name) !== null)) {
    says.hidden = false;
    document.querySelector("[data-unless-kept]")?.removeAttribute("open");
  }

  const forms = [...document.querySelectorAll("form[data-keep]")];
  for (const form of forms) {
    move(form);
    // What the server shows again is what was typed last.
    if (form.querySelector(".errorlist") || form.hasAttribute("data-keep-sent")) save(form);
    else restore(form);
    let waiting = 0;
    const later = () => {
      window.clearTimeout(waiting);
      waiting = window.setTimeout(() => save(form), 250);
    };
    form.addEventListener("input", later);
    form.addEventListener("change", later);
    form.addEventListener("kept:typed", later);
    form.addEventListener("kept:sent", () => {
      window.clearTimeout(waiting);
      drop(nameOf(form));
      form.querySelector(":scope > .kept")?.remove();
    });
    window.addEventListener("pagehide", () => {
      if (waiting) save(form);
    });
  }
  for (const link of document.querySelectorAll("[data-drops]")) {
    link.addEventListener("click", () => drop(PREFIX + link.dataset.drops));
  }

  // Before a form leaves the page it is asked whether anybody is there: a browser whose line is lost
  // would show a page of its own in place of what was typed. Nothing else sees that first try, so
  // that questions are asked once.
  const passed = new WeakSet();
  const isOurs = (form) =>
    form.dataset.keep && !form.dataset.lineTo && form.getAttribute("method") === "post";

  document.addEventListener(
    "submit",
    (event) => {
      const form = event.target;
      if (!isOurs(form) || passed.has(form)) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      const { submitter } = event;
      save(form);
      fetch("/healthz", { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(PATIENCE) })
        .then((answer) => answer.status < 500)
        .catch(() => false)
        .then((isThere) => {
          if (!isThere) {
            word(form, "No answer from the desk. Nothing was sent; what you typed is kept here. Try again in a moment.");
            return;
          }
          form.querySelector(":scope > .kept")?.remove();
          passed.add(form);
          form.requestSubmit(submitter);
          passed.delete(form);
        });
    },
    true,
  );

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || !passed.has(form)) return;
    if ((event.submitter?.formTarget || form.target) === "_blank") return;
    brief.setItem(MARK, JSON.stringify({ name: nameOf(form), at: Date.now() }));
  });

  // A paste that no field takes is refused here, in words, before it freezes anything.
  document.addEventListener("paste", (event) => {
    const field = event.target.closest?.("input, textarea");
    const pasted = event.clipboardData?.getData("text") || "";
    const most = Number(field?.dataset.limit) || (field?.maxLength > 0 ? field.maxLength : MOST);
    if (!field || field.value.length + pasted.length <= most) return;
    event.preventDefault();
    const form = field.closest("form");
    if (!form) return;
    word(
      form,
      `That is ${pasted.length.toLocaleString("en")} characters; this field takes ${most.toLocaleString("en")}. Nothing was pasted. Attach it to an entry as a file instead.`,
      ["Close", () => field.focus()],
    );
  });
})();
