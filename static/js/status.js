// The page is whole without this. With it, what is live renews itself, times are also told from
// now and in the visitor's zone, and a page that cannot be renewed says so. It never moves the
// focus. Whatever it says in words stands in the document, in the language of the page.
const { lang, dataset } = document.documentElement;
const live = document.getElementById("live");
const lost = document.getElementById("lost");
const pause = document.getElementById("pause");

let paused = false;

// The server's clock, as far as is known: that of a visitor may be wrong.
let ahead = 0;
const now = () => Date.now() + ahead;

const format = (options) => new Intl.DateTimeFormat(lang, { hourCycle: "h23", ...options });
const minute = { dateStyle: "medium", timeStyle: "short" };
const theirs = format(minute);
const ours = format({ ...minute, timeZone: dataset.zone });
const distance = new Intl.RelativeTimeFormat(lang, { style: "short" });
const seconds = new Intl.NumberFormat(lang, { style: "unit", unit: "second" });
// Each from as many seconds on: "90 min. ago" says more than "1 hr. ago".
const units = [
  ["day", 86_400, 172_800],
  ["hour", 3_600, 7_200],
  ["minute", 60, 60],
  ["second", 1, 0],
];

const fromNow = (at, counts) => {
  const left = Math.trunc((at - now()) / 1000);
  const [unit, size] = units.find(([, , from]) => Math.abs(left) >= from);
  const words = distance.format(Math.trunc(left / size), unit);
  // The languages of the page all end with the unit: "in 12 min. 30 sec".
  return counts && unit === "minute" && left > 0 ? `${words} ${seconds.format(left % 60)}` : words;
};

// What the script adds is taken away before the page is compared with its next edition.
const add = (words, after) => {
  const added = document.createElement("span");
  added.className = "added";
  added.textContent = words;
  after(added);
  return added;
};

let ticking = [];
const tick = () => {
  for (const [added, at, counts] of paused ? [] : ticking) {
    added.textContent = `(${fromNow(at, counts)})`;
  }
};
const addFromNow = (at, after) => {
  const added = add("", after);
  // The absolute time beside it is for everybody; a clock that is read aloud is not.
  added.ariaHidden = true;
  return [added, at, Boolean(added.closest("[data-due]"))];
};

const enhance = () => {
  const at = (time) => Date.parse(time.dateTime);
  const differs = (time) => theirs.format(at(time)) !== ours.format(at(time));
  ticking = [];
  for (const time of document.querySelectorAll("time[datetime]")) {
    if (differs(time)) time.title = dataset.yours.replace("{}", theirs.format(at(time)));
  }
  for (const time of document.querySelectorAll("[data-ago] time")) {
    ticking.push(addFromNow(at(time), (added) => time.after(added)));
  }
  for (const due of document.querySelectorAll("[data-due], [data-window]")) {
    const times = [...due.querySelectorAll("time[datetime]")];
    const last = times.at(-1);
    if (!last) continue;
    // A stretch of time that is planned counts down elsewhere.
    if ("due" in due.dataset) ticking.push(addFromNow(at(last), (added) => due.append(added)));
    if (times.some(differs)) {
      const today = format({ dateStyle: "short" });
      const near = times.every((time) => today.format(at(time)) === today.format(now()));
      const shown = near ? format({ timeStyle: "short" }) : theirs;
      const words = shown.formatRange(at(times[0]), at(last));
      add(dataset.yours.replace("{}", words), (added) => due.append(added)).classList.add("yours");
    }
  }
  tick();
};

// What says the same stays as it is, element by element: the focus stays, and the banner is read
// out only when it says something else. What would take the focus away waits until it has left.
const renew = (old, fresh) => {
  const [before, after] = [[...old.childNodes], [...fresh.childNodes]];
  const same = (one, other) => one.nodeName === other.nodeName && one.id === other.id;
  if (before.length === after.length && before.every((one, place) => same(one, after[place]))) {
    before.forEach((one, place) => renewPart(one, after[place]));
    return;
  }
  const left = new Set(after.map(({ id }) => id).filter(Boolean));
  const kept = new Map(before.filter(({ id }) => left.has(id)).map((one) => [one.id, one]));
  const holding = before.find((one) => one.contains(document.activeElement));
  if (holding && !kept.has(holding.id)) return;
  for (const one of before) if (!kept.has(one.id)) one.remove();
  let place = old.firstChild;
  for (const one of after) {
    const twin = kept.get(one.id);
    if (twin && (twin === place || twin === holding)) place = twin.nextSibling;
    else old.insertBefore(twin ?? one, place);
    if (twin) renewPart(twin, one);
  }
};

const renewPart = (old, fresh) => {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const name of old.getAttributeNames()) {
    if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  renew(old, fresh);
};

const banner = () => document.querySelector(".banner__words")?.textContent;
let said = banner();

const take = (text) => {
  const read = document.createElement("template");
  read.innerHTML = text;
  // Either a part alone, or a page that has it.
  const fresh = read.content.getElementById("live") ?? read.content;
  for (const part of fresh.querySelectorAll("details[id]")) {
    part.open = document.getElementById(part.id)?.open ?? part.open;
  }
  for (const added of document.querySelectorAll(".added")) added.remove();
  for (const time of document.querySelectorAll("time[title]")) time.removeAttribute("title");
  renew(live, fresh);
  enhance();
  if (banner() !== said) document.title = document.title.replace(said, banner);
  said = banner();
};

const every = 10_000;
const patience = 45_000;
let wait = every;
let timer;
let heard = now();

const complain = () => {
  const time = lost.querySelector("time");
  const clock = { hour: "2-digit", minute: "2-digit", timeZoneName: "short" };
  time.textContent = format({ ...clock, timeZone: dataset.zone }).format(heard);
  lost.hidden = false;
};

// A server of ours picks what the page says by now. On a copy that lies elsewhere, the page does.
let lists = true;
const picks = ["x-highwater-revision", "x-highwater-edition"];
const edition = async (answer, options) => {
  if (!lists || picks.some((name) => answer.headers.has(name))) return answer;
  const list = await fetch(`${live.dataset.src}.editions.json`, options);
  lists = list.ok;
  const known = lists ? await list.json() : [];
  const past = known.filter(([from]) => Date.parse(from) <= now()).at(-1);
  const later = past ? await fetch(past[1], options) : answer;
  return later.ok ? later : answer;
};

const ask = async () => {
  try {
    const options = { cache: "no-cache", signal: AbortSignal.timeout(every) };
    const answer = await fetch(live.dataset.src, options);
    if (!answer.ok) return "";
    const { headers } = answer;
    const told = Date.parse(headers.get("date")) + 1000 * Number(headers.get("age"));
    if (Math.abs(told - now()) > 5000) ahead = told - Date.now();
    return await (await edition(answer, options)).text();
  } catch {
    // No network, or no answer in time: what stands here keeps its times.
    return "";
  }
};

const look = async () => {
  clearTimeout(timer);
  if (paused || document.hidden) return;
  const text = await ask();
  if (paused) return;
  if (text) {
    take(text);
    heard = now();
    wait = every;
    lost.hidden = true;
  } else {
    // A server in trouble is asked less often.
    wait = Math.min(2 * wait, 8 * every);
    if (now() - heard > patience) complain();
  }
  // On a copy that nobody renews, what is true from a moment on appears when it has come.
  for (const part of document.querySelectorAll("[data-from][hidden]")) {
    part.hidden = now() < Date.parse(part.dataset.from);
  }
  clearTimeout(timer);
  timer = setTimeout(look, wait);
};

enhance();
if (live?.dataset.src) {
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    [pause.textContent, pause.dataset.other] = [pause.dataset.other, pause.textContent];
    look();
  });
  setInterval(tick, 1000);
  timer = setTimeout(look, every);
  document.addEventListener("visibilitychange", look);
}
