// The page is whole without this. With it, what is live renews itself, and times gain the
// visitor's own zone. It never moves the focus, and leaves alone what the visitor is using.
const live = document.getElementById("live");
const every = 10_000;
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const words = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

const addVisitorsTime = () => {
  for (const time of document.querySelectorAll("time:not([title])")) {
    time.title = `${words.format(new Date(time.dateTime))} (${zone})`;
  }
};

// Each part by itself, and only where it says something else: so the banner is read out once.
const said = new Map();
const parts = (root) =>
  ["notice", "age", "banner", "open", "components"].map((id) => [id, root.querySelector(`#${id}`)]);

const renew = (fresh) => {
  for (const [id, part] of parts(fresh)) {
    const old = document.getElementById(id);
    const text = part?.outerHTML ?? "";
    if (said.get(id) === text) continue;
    if (old?.contains(document.activeElement)) continue;
    said.set(id, text);
    if (!part) old?.remove();
    else if (!old) live.prepend(part);
    else {
      const open = new Map([...old.querySelectorAll("details[id]")].map((d) => [d.id, d.open]));
      for (const { name, value } of part.attributes) old.setAttribute(name, value);
      old.hidden = part.hidden;
      old.innerHTML = part.innerHTML;
      for (const d of old.querySelectorAll("details[id]")) d.open = open.get(d.id) ?? d.open;
    }
  }
  addVisitorsTime();
};

let paused = false;
const look = async () => {
  if (paused || document.hidden) return;
  try {
    const answer = await fetch(live.dataset.src, { cache: "no-cache" });
    if (answer.ok) {
      renew(new DOMParser().parseFromString(await answer.text(), "text/html"));
    }
  } catch {
    // No network: what stands here keeps its times, and the next look may succeed.
  }
};

const addPause = () => {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button button--small";
  const label = () => {
    button.textContent = paused ? "Resume updates" : "Pause updates";
  };
  button.addEventListener("click", () => {
    paused = !paused;
    label();
    look();
  });
  label();
  document.querySelector(".foot").prepend(button);
};

addVisitorsTime();
if (live?.dataset.src) {
  for (const [id, part] of parts(document)) said.set(id, part?.outerHTML ?? "");
  addPause();
  setInterval(look, every);
  document.addEventListener("visibilitychange", look);
}
