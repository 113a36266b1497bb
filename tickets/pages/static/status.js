// The status page works without this file. With it, an open page keeps up: parts that hold no
// control are replaced where they stand, so nothing that a hand may be about to touch moves away.

"use strict";

const AGAIN_AFTER = 60_000;
const QUIET_PARTS = [".verdict", ".as-of", ".going-on", ".watched-head .stands-now"];

async function lookAgain() {
  if (document.hidden) return;
  let answer;
  try {
    answer = await fetch(location.pathname + location.search, { cache: "no-cache", redirect: "error" });
  } catch {
    return; // no network for a moment; the page still says as of when it is
  }
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of QUIET_PARTS) {
    const mine = document.querySelectorAll(part);
    const theirs = fresh.querySelectorAll(part);
    if (mine.length !== theirs.length) continue;
    mine.forEach((element, index) => {
      if (element.outerHTML === theirs[index].outerHTML) return;
      element.className = theirs[index].className;
      element.replaceChildren(...theirs[index].childNodes);
    });
  }
  document.title = fresh.title;
}

setInterval(lookAgain, AGAIN_AFTER);
document.addEventListener("visibilitychange", lookAgain);
