// The desk works without this file. With it, the pages that are open keep up with the store, and
// one key does what a button does. Nothing that a hand may be about to touch is moved or replaced.

"use strict";

const REFRESH_EVERY = 30_000;
const KEYS_OFF = "fettle-keys-off";

// Parts that may be brought up to date where they stand: they hold no control, so nothing is lost.
const QUIET_PARTS = [".count", ".support", ".sum", ".as-of", ".loud", ".by", ".when", ".about"];

function say(text, label = "Show") {
  let news = document.querySelector(".news");
  if (!news) {
    news = document.createElement("p");
    news.className = "news";
    news.setAttribute("role", "status");
    document.body.append(news);
  }
  const link = document.createElement("a");
  link.href = location.pathname + location.search;
  link.textContent = label;
  news.replaceChildren(`${text} `, link);
}

function bringUpToDate(here, there) {
  let changed = false;
  for (const part of QUIET_PARTS) {
    const mine = here.querySelectorAll(part);
    const theirs = there.querySelectorAll(part);
    if (mine.length !== theirs.length) continue;
    mine.forEach((element, index) => {
      const fresh = theirs[index];
      if (element.outerHTML === fresh.outerHTML) return;
      if (part === ".about") changed = true;
      element.className = fresh.className;
      element.replaceChildren(...fresh.childNodes);
    });
  }
  return changed;
}

function compareQueues(fresh) {
  const rows = [...document.querySelectorAll(".queue > li")];
  const theirs = [...fresh.querySelectorAll(".queue > li")];
  const known = new Set(rows.map((row) => row.id));
  const added = theirs.filter((row) => !known.has(row.id)).length;
  for (const row of rows) {
    const other = theirs.find((candidate) => candidate.id === row.id);
    if (!other) continue;
    row.classList.remove("over", "soon", "standing", "answered", "changed");
    row.classList.add(...other.classList);
    if (bringUpToDate(row, other)) row.classList.add("changed");
  }
  if (added) {
    say(added === 1 ? "One new ticket." : `${added} new tickets.`);
  } else if (rows.map(version).join() !== theirs.map(version).join()) {
    say("The queue has changed.");
  }
}

function version(element) {
  return `${element.id}:${element.dataset.version}`;
}

async function refresh() {
  if (document.hidden) return;
  let answer;
  try {
    answer = await fetch(location.pathname + location.search, {
      headers: { "Fettle-Refresh": "1" },
      redirect: "manual",
    });
  } catch {
    return; // no network for a moment; the page still says as of when it is
  }
  if (answer.type === "opaqueredirect") return say("Your session has ended.", "Sign in");
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  compareQueues(fresh);
  for (const part of [".top", ".foot", ".promise"]) {
    const [mine, theirs] = [document.querySelector(part), fresh.querySelector(part)];
    if (!mine || !theirs) continue;
    mine.className = theirs.className;
    bringUpToDate(mine, theirs);
  }
  const [ticket, other] = [".ticket", ".ticket"].map((part, index) =>
    (index ? fresh : document).querySelector(part),
  );
  if (ticket && other && version(ticket) !== version(other)) say("The ticket has changed.");
  document.title = fresh.title;
  const icon = document.querySelector("link[rel=icon]");
  const freshIcon = fresh.querySelector("link[rel=icon]");
  if (icon && freshIcon && icon.href !== freshIcon.href) icon.href = freshIcon.href;
}

function isTyping(target) {
  return target instanceof Element && target.closest("input, textarea, select, [contenteditable]");
}

function showKeys(areOn) {
  for (const control of document.querySelectorAll("[data-key]")) {
    control.querySelector("kbd")?.remove();
    if (!areOn || !control.dataset.key) continue;
    const key = document.createElement("kbd");
    key.textContent = control.dataset.key;
    control.append(key);
  }
}

function offerKeys() {
  if (!document.querySelector("[data-key]")) return;
  let areOn = localStorage.getItem(KEYS_OFF) === null;
  const paragraph = document.createElement("p");
  const button = document.createElement("button");
  button.className = "quiet keys";
  const label = () => {
    button.textContent = areOn ? "Turn keys off" : "Turn keys on";
    showKeys(areOn);
  };
  button.addEventListener("click", () => {
    areOn = !areOn;
    if (areOn) localStorage.removeItem(KEYS_OFF);
    else localStorage.setItem(KEYS_OFF, "1");
    label();
  });
  label();
  paragraph.append(button);
  document.querySelector(".foot .product")?.before(paragraph);
  document.addEventListener("keydown", (press) => {
    if (!areOn || press.ctrlKey || press.metaKey || press.altKey || press.repeat) return;
    if (isTyping(press.target)) return;
    const control = [...document.querySelectorAll("[data-key]")].find(
      (candidate) => candidate.dataset.key === press.key,
    );
    if (!control) return;
    press.preventDefault();
    control.click();
  });
}

offerKeys();
if (document.querySelector("main[data-live]")) setInterval(refresh, REFRESH_EVERY);
