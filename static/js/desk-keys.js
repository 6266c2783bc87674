// The keys of the desk. Which there are stands in the dialog that lists them, and nowhere else: a
// row with data-press does what it says, and what is not listed does nothing.
"use strict";

(() => {
  const dialog = document.getElementById("keys");
  if (!dialog) return;

  const deeds = new Map(
    [...dialog.querySelectorAll("[data-press]")].map((row) => [row.dataset.press, row]),
  );
  const prefixes = new Set(
    [...deeds.keys()].filter((press) => press.includes(" ")).map((press) => press.split(" ")[0]),
  );
  // A key that waits for a second one waits so long, in milliseconds.
  const PATIENCE = 1500;
  const ROW = ".entry, .rows__row, #action-list .action";
  const SETTING = "desk-keys";

  const isTyping = (target) =>
    target.isContentEditable ||
    target.matches(
      "textarea, select, input:not([type='checkbox'], [type='radio'], [type='button'], [type='submit'])",
    );

  const focusOn = (target, block) => {
    if (!target.matches("a[href], button, input, select, textarea")) target.tabIndex = -1;
    target.focus({ preventScroll: true });
    target.scrollIntoView({ block });
    return true;
  };

  // From one row to the next: in a list on its title, so that Enter opens it; else on the row.
  const step = (by) => {
    const rows = [...document.querySelectorAll(ROW)].filter((row) => row.checkVisibility());
    const here = rows.findIndex((row) => row.contains(document.activeElement));
    // Where nothing has the focus yet, the first row in sight is the next one.
    const first = rows.findIndex((row) => row.getBoundingClientRect().bottom > 0);
    const next = rows[here < 0 ? first + Math.min(by, 0) : here + by];
    return Boolean(next) && focusOn(next.querySelector("a.rows__title") || next, "nearest");
  };

  const press = (row) => {
    const { step: by, opens, target, within } = row.dataset;
    if (by) return step(Number(by));
    if (opens) {
      document.getElementById(opens).showModal();
      return true;
    }
    const place = within ? document.activeElement.closest(within) : document;
    const found = target ? place?.querySelector(target) : row.querySelector("a[href]");
    if (!found) return false;
    if (found.matches("a[href]")) found.click();
    else focusOn(found, "center");
    return true;
  };

  // Whoever speaks to the machine, or leans on keys, can turn them off; that is kept.
  const setting = document.getElementById("keys-on");
  try {
    setting.checked = window.localStorage.getItem(SETTING) !== "off";
    setting.addEventListener("change", () => {
      window.localStorage.setItem(SETTING, setting.checked ? "on" : "off");
    });
  } catch {
    // A browser that keeps nothing leaves them on.
  }

  let prefix = "";
  let since = 0;

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && isTyping(event.target)) event.target.blur();
    if (isTyping(event.target) || document.querySelector("dialog[open]") || !setting.checked) return;
    const waits = prefix && event.timeStamp - since < PATIENCE;
    const pressed = waits ? `${prefix} ${event.key}` : event.key;
    prefix = "";
    if (prefixes.has(pressed)) {
      prefix = pressed;
      since = event.timeStamp;
      return;
    }
    const row = deeds.get(pressed);
    if (row && press(row)) event.preventDefault();
  });

  // The list is there for those without keys, too.
  for (const button of document.querySelectorAll("[data-shows-keys]")) {
    button.hidden = false;
    button.addEventListener("click", () => dialog.showModal());
  }

  // On a phone the rooms stand in a row that is longer than the screen: where one is, is in sight.
  const nav = document.querySelector(".bar__nav");
  const current = nav?.querySelector("[aria-current]");
  if (current) {
    nav.scrollLeft = current.offsetLeft - nav.offsetLeft - (nav.clientWidth - current.offsetWidth) / 2;
  }
})();
