// What it does and why: README, "Pages". Everything here works without it, one page load later.
(() => {
  "use strict";
  const find = (id) => document.getElementById(id);
  const form = find("act"), live = find("live"), bar = find("undo"), keys = find("keys"), box = find("keys-on"), more = bar.querySelector("a");
  const opposite = {
    save: "unsave", unsave: "save", upvote: "unvote", unvote: "upvote", dismiss: "undismiss", undismiss: "dismiss",
  };
  const words = {
    save: "Saved.", unsave: "No longer saved.", upvote: "Voted.", unvote: "Your vote is taken back.",
    dismiss: "You will not see this paper again.", undismiss: "You may see this paper again.",
  };
  const waiting = new Map(); // presses on one paper reach the service in their order
  const unsent = new Set(); // those that wait for one before them
  let last, timer, disk = {};
  try { disk = localStorage || disk; } catch {}

  const tell = (text, undo) => {
    clearTimeout(timer);
    live.textContent = "";
    setTimeout(() => (live.textContent = text), 50); // the same words twice are read twice
    bar.hidden = false;
    bar.firstElementChild.textContent = text;
    bar.lastElementChild.hidden = !(last = undo);
    if (more) more.hidden = true;
    timer = setTimeout(() => (bar.hidden = true), 12000);
  };

  const offer = (kind) => {
    if (!more || bar.hidden) return;
    more.hidden = false;
    setTimeout(() => (live.textContent = `${words[kind]} ${more.textContent}.`), 100); // after what `tell` says
  };

  const cardsOf = (paper) => document.querySelectorAll(`[data-paper="${CSS.escape(paper)}"]`);
  const show = (kind, paper) => {
    for (const button of document.querySelectorAll(`button[name="${kind}"][value="${CSS.escape(paper)}"]`)) {
      if (button.closest(".told, .undo")) continue;
      button.name = opposite[kind];
      if (/save/.test(kind)) button.textContent = kind === "save" ? "Saved" : "Save";
      if (/vote/.test(kind)) {
        const count = button.querySelector("span");
        const votes = Math.max(0, +count.textContent + (kind === "upvote" ? 1 : -1));
        count.textContent = votes;
        button.setAttribute("aria-label", `${kind === "upvote" ? "Take back your vote" : "Upvote"}, ${votes} so far`);
      }
      if (/miss/.test(kind)) button.textContent = kind === "dismiss" ? "Show again" : "Not interested";
      else button.classList.toggle("on", /^(save|upvote)$/.test(kind));
    }
    if (/miss/.test(kind)) for (const card of cardsOf(paper)) card.classList.toggle("gone", kind === "dismiss");
  };

  // Kept where the beacon keeps what it could not send yet, in its form: it is sent when the network is back.
  const keep = (kind, paper_id, slate) => {
    try {
      const blob = URL.createObjectURL(new Blob());
      URL.revokeObjectURL(blob);
      const id = blob.slice(-36), event = { id, kind, paper_id, occurred_at: new Date() };
      disk.setItem("paperfeed." + Date.now() + id, slate + " " + JSON.stringify(event));
      return true;
    } catch { return false; }
  };

  const send = async (kind, paper) => {
    const body = new URLSearchParams(new FormData(form));
    const slate = cardsOf(paper)[0]?.closest("[data-slate]")?.dataset.slate;
    body.set("kind", kind);
    body.set("paper", paper);
    if (slate) body.set("slate", slate);
    let answer;
    try {
      answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" }, keepalive: true });
    } catch {
      if (slate && keep(kind, paper, slate)) return "You are offline: this is sent when you are back.";
      throw "The service cannot be reached: nothing was changed.";
    }
    if (answer.ok) return;
    const problem = await answer.json().catch(() => ({}));
    throw `Nothing was changed: ${problem.detail || "the service did not take it"}.`;
  };

  const press = (kind, paper) => {
    show(kind, paper);
    tell(words[kind], [opposite[kind], paper]);
    const job = [kind, paper];
    unsent.add(job);
    const sent = (waiting.get(paper) || Promise.resolve()).then(() => unsent.delete(job) && send(kind, paper));
    waiting.set(paper, sent.then(
      (note) => (note ? tell(note) : offer(kind)),
      (reason) => {
        show(opposite[kind], paper);
        tell(String(reason));
      },
    ));
  };

  addEventListener("pagehide", () => {
    for (const job of unsent) if (unsent.delete(job)) send(...job).catch(() => {});
  });

  addEventListener("submit", (event) => {
    const { target, submitter } = event;
    if (target !== form || !submitter || !opposite[submitter.name]) return;
    event.preventDefault();
    press(submitter.name, submitter.value);
    const told = submitter.closest(".told");
    if (told) told.hidden = true;
  });
  const undo = () => {
    if (!last || bar.hidden) return;
    const [kind, paper] = last;
    bar.hidden = true;
    press(kind, paper);
  };
  bar.lastElementChild.addEventListener("click", undo);

  const move = (step) => {
    const cards = [...document.querySelectorAll("[data-paper]")].filter((card) => card.checkVisibility?.() ?? true);
    const at = cards.indexOf(document.activeElement?.closest?.("[data-paper]"));
    const top = cards.findIndex((card) => card.getBoundingClientRect().bottom > 80);
    const next = cards[at < 0 ? Math.max(top, 0) : Math.min(Math.max(at + step, 0), cards.length - 1)];
    const link = next?.querySelector("h1 a, h2 a, h3 a, a, button");
    link?.focus({ preventScroll: true });
    next?.scrollIntoView({ block: "nearest", behavior: "instant" });
  };
  const act = (kinds) => {
    const card = document.activeElement?.closest?.("[data-paper]") || document.querySelector("article.paper");
    if (!card) return tell("Choose a paper first: j goes to the next one.");
    const button = kinds.map((kind) => card.querySelector(`button[name="${kind}"]`)).find(Boolean);
    if (button) press(button.name, button.value);
  };
  const help = () => keys.showModal();
  const shortcuts = {
    j: () => move(1), k: () => move(-1), s: () => act(["save", "unsave"]), u: () => act(["upvote", "unvote"]),
    x: () => act(["dismiss", "undismiss"]), z: undo, "/": () => find("q").select(), "?": help,
  };
  addEventListener("keydown", (event) => {
    const { key, target } = event;
    const isTyping = target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable], dialog");
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey || event.repeat && !/[jk]/.test(key)) return;
    if (!Object.hasOwn(shortcuts, key) || (!box.checked && key !== "?")) return;
    event.preventDefault();
    shortcuts[key]();
  });
  box.checked = disk["paperfeed-keys"] !== "off";
  box.addEventListener("change", () => {
    try { disk["paperfeed-keys"] = box.checked ? "on" : "off"; } catch {}
  });
  const zone = document.querySelector("select[data-zone]");
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if ([...zone?.options ?? []].some(({ value }) => value === own)) zone.value = own;
  for (const button of document.querySelectorAll("[data-keys]")) {
    button.hidden = false;
    button.addEventListener("click", help);
  }
})();
