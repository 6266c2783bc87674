// The line of a timeline: sent by Enter without a new page. The box is free for the next line at
// once, and gives back what could not be sent.
"use strict";

(() => {
  const form = document.getElementById("entry");
  if (!form || !form.dataset.lineTo) return;
  const box = form.elements.namedItem("line");
  const answer = document.getElementById("entry-reading");
  // Milliseconds after which a desk that does not answer is taken as away.
  const PATIENCE = 15_000;
  let unsent = null;
  let queue = Promise.resolve();

  const newKey = () =>
    [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

  const changed = () => box.dispatchEvent(new Event("input", { bubbles: true }));

  const say = (text, line) => {
    const word = document.createElement("p");
    word.className = "write__refusal";
    word.textContent = text;
    answer.replaceChildren(word);
    if (!line) return;
    const back = document.createElement("button");
    back.type = "button";
    back.className = "button button--small";
    back.textContent = "Put it back";
    back.dataset.line = line;
    word.append(" ", back);
  };

  // A line that was not written down goes back into the box, or beside what is typed there by now.
  const giveBack = (sent, text) => {
    if (box.value && box.value !== sent.line) {
      say(`${text} It was: “${sent.line.slice(0, 80)}”`, sent.line);
      return;
    }
    box.value = sent.line;
    unsent = sent;
    say(text);
    box.dispatchEvent(new CustomEvent("kept:typed", { bubbles: true }));
  };

  const send = async (sent) => {
    let response;
    try {
      response = await fetch(form.dataset.lineTo, {
        method: "POST",
        body: sent.data,
        signal: AbortSignal.timeout(PATIENCE),
      });
    } catch {
      giveBack(sent, "No answer from the desk. The line was not written down, or nobody could say so; sent again, it is written once.");
      return;
    }
    if (response.redirected) {
      giveBack(sent, "You are signed out. Sign in in another tab, then send the line again.");
      return;
    }
    if (response.status === 200) {
      answer.innerHTML = await response.text();
      if (!box.value) form.dispatchEvent(new CustomEvent("kept:sent", { bubbles: true }));
      window.htmx.trigger(document.body, "look");
      return;
    }
    if (response.status === 422) {
      const refusal = new DOMParser().parseFromString(await response.text(), "text/html");
      giveBack(sent, refusal.body.textContent.trim());
      return;
    }
    const why = response.status === 413 ? "That is too much at once." : "The desk could not do it.";
    giveBack(sent, `${why} The line was not written down.`);
  };

  form.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    event.preventDefault();
    const line = box.value;
    if (!line.trim()) return;
    // The same line again is the same entry; another line is another one.
    const key = unsent?.line === line ? unsent.key : newKey();
    form.elements.namedItem("key").value = key;
    const sent = { line, key, data: new FormData(form) };
    unsent = null;
    box.value = "";
    window.htmx.trigger(box, "htmx:abort");
    form.elements.namedItem("is_public").checked = false;
    answer.replaceChildren();
    box.removeAttribute("aria-invalid");
    form.querySelector(".errorlist")?.remove();
    box.focus();
    queue = queue.then(() => send(sent));
  });

  // Of an empty box nothing is to be read; asked all the same, the answer to what was sent goes.
  // So it is with a line that came back: why it came back stands there until it is changed.
  box.addEventListener("htmx:beforeRequest", (event) => {
    if (!box.value.trim() || box.value === unsent?.line) event.preventDefault();
  });
  box.addEventListener("input", () => {
    if (!box.value.trim()) answer.replaceChildren();
  });

  // An answer offers lines to send instead.
  document.addEventListener("click", (event) => {
    const line = event.target.closest?.("[data-line]")?.dataset.line;
    if (!line) return;
    box.value = line;
    box.focus();
    changed();
  });
})();
