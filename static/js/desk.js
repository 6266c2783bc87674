// What the desk does beyond plain forms: keys, a question before grave deeds, word of a lost line.
"use strict";

(() => {
  const typing = (target) =>
    target.isContentEditable || target.matches("input, textarea, select");

  const focusOn = (selector) => {
    const field = document.querySelector(selector);
    if (field) {
      field.focus();
      field.scrollIntoView({ block: "center" });
    }
    return Boolean(field);
  };

  const keys = {
    n: () => focusOn("#entry_line"),
    u: () => focusOn("#update_body"),
    g: () => {
      window.location.assign("/desk/");
      return true;
    },
    "?": () => {
      document.getElementById("keys").showModal();
      return true;
    },
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    const deed = keys[event.key];
    if (deed && deed()) event.preventDefault();
  });

  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !window.confirm(question)) event.preventDefault();
  });

  // A page that no longer renews itself says so, with the time since when.
  const offline = document.getElementById("offline");

  const lost = () => {
    if (!offline.hidden) return;
    document.getElementById("offline-since").textContent = new Date().toLocaleTimeString();
    offline.hidden = false;
  };

  document.addEventListener("htmx:sendError", lost);
  document.addEventListener("htmx:responseError", lost);
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
