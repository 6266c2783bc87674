// What the desk does beyond plain forms: a question before grave deeds, word of a lost line.
"use strict";

(() => {
  const focusOn = (selector) => {
    const field = document.querySelector(selector);
    if (field) {
      field.focus();
      field.scrollIntoView({ block: "center" });
    }
    return Boolean(field);
  };

  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !window.confirm(question)) event.preventDefault();
  });

  // Three in the morning: what is typed is sent without a hand leaving the keys.
  document.addEventListener("keydown", (event) => {
    const form = event.target.form;
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !form) return;
    const send = form.hasAttribute("data-sends") && form.querySelector(".button--main");
    if (!send) return;
    event.preventDefault();
    form.requestSubmit(send);
  });

  // Of several forms on a page, each with data-saved-alone, one that is sent loses what is typed
  // in the others.
  const isOptionTurned = (option, index, options) =>
    [...options].some((other) => other.defaultSelected)
      ? option.selected !== option.defaultSelected
      : option.selected && index > 0;

  const isTyped = (field) => {
    if (field.type === "checkbox" || field.type === "radio") {
      return field.checked !== field.defaultChecked;
    }
    if (field.matches("select")) return [...field.options].some(isOptionTurned);
    if (field.type === "file") return field.files.length > 0;
    return field.matches("input, textarea") && field.value !== field.defaultValue;
  };

  // What was refused is shown again, and kept as little.
  const isUnsaved = (form) =>
    form.querySelector(".errorlist") !== null || [...form.elements].some(isTyped);

  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.savedAlone;
    if (!question || event.defaultPrevented) return;
    const others = [...document.querySelectorAll("form[data-saved-alone]")];
    const loses = others.some((form) => form !== event.target && isUnsaved(form));
    if (loses && !window.confirm(question)) event.preventDefault();
  });

  // After a refused form, typing goes on where something is wrong.
  focusOn("[aria-invalid='true']:not([type='hidden'])");

  // What is folded away is said where it is unfolded, as it is by now.
  for (const fold of document.querySelectorAll("[data-next]")) {
    const field = (name) => fold.querySelector(`[name='${name}']`);
    const say = () => {
      const [at, minutes, quiet] = ["next_at", "next_minutes", "says_quiet"].map(field);
      const said = at.value ? `by ${at.value.replace("T", " ")}` : minutes.value && `within ${minutes.value} min`;
      const night = quiet?.checked ? ", and that the night stays quiet" : "";
      fold.querySelector("[data-says]").textContent = `${said || "as usual"}${night}`;
    };
    // As long as nobody types, the page says it itself; what is put back later opens the fold.
    fold.addEventListener("input", say);
    fold.addEventListener("toggle", say);
  }

  // What is folded away stays as its reader left it, and is open where it is gone to.
  const FOLD = "fold:";
  const folds = document.querySelectorAll("details[data-fold]");
  const recall = (name) => {
    try {
      return window.localStorage.getItem(FOLD + name);
    } catch {
      return null;
    }
  };
  for (const fold of folds) {
    const known = recall(fold.dataset.fold);
    if (known && !fold.querySelector(".errorlist")) fold.open = known === "open";
    fold.querySelector(":scope > summary").addEventListener("click", () => {
      try {
        window.localStorage.setItem(FOLD + fold.dataset.fold, fold.open ? "closed" : "open");
      } catch {
        // It opens and closes all the same.
      }
    });
  }

  const reveal = () => {
    const target = window.location.hash && document.getElementById(window.location.hash.slice(1));
    const fold = target && target.closest(".fold-away");
    if (!fold || fold.open) return;
    fold.open = true;
    target.scrollIntoView();
  };
  if (document.querySelector(".fold-away")) {
    reveal();
    window.addEventListener("hashchange", reveal);
    // Gone to once more, the address stays the same.
    document.addEventListener("click", (event) => {
      if (event.target.closest?.("a[href^='#']")) window.setTimeout(reveal);
    });
  }

  // What came of a deed stays in sight until it is closed, or another page is shown.
  for (const close of document.querySelectorAll("[data-closes]")) {
    close.hidden = false;
    close.addEventListener("click", () => {
      const all = close.closest(".flash");
      close.closest("li").remove();
      if (!all.querySelector("li")) all.remove();
    });
  }

  // A page that no longer renews itself says so, with the time since when.
  const offline = document.getElementById("offline");

  const lost = () => {
    if (!offline.hidden) return;
    document.getElementById("offline-since").textContent = new Date().toLocaleTimeString();
    offline.hidden = false;
  };

  document.addEventListener("htmx:sendError", lost);
  document.addEventListener("htmx:responseError", (event) => {
    const again = event.detail.xhr.getResponseHeader("X-Load-Again");
    if (again === null) {
      lost();
      return;
    }
    const outdated = document.getElementById("outdated");
    outdated.querySelector("a").href = again;
    outdated.hidden = false;
  });
  document.addEventListener("htmx:timeout", lost);

  document.addEventListener("htmx:beforeSwap", (event) => {
    // Whoever is signed out meanwhile is asked to sign in, instead of finding the form in a list.
    if (event.detail.xhr.responseURL.includes("/desk/login/")) {
      event.detail.shouldSwap = false;
      window.location.reload();
      return;
    }
    if (event.detail.xhr.status < 400) offline.hidden = true;
  });
})();
