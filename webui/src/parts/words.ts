// words: how pages say what a search was asked for and how fast it went. Pure.
import type { Search } from "../api/types";
import { count, rate } from "../format";

// "cumulative, 2 × 100 images", or only the name of a policy that calibrates nothing.
export function policyWords(search: Search): string {
  const p = (search.policy ?? {}) as { average?: string; batches?: number; batch_size?: number };
  if (p.average === "batch" || p.average === "none") return p.average;
  return `${p.average ?? "default"}, ${p.batches ?? "?"} × ${p.batch_size ?? "?"} images`;
}

export function scoredOn(search: Search): string {
  const e = search.evaluation;
  return `${e?.images ? count(e.images) : "all"} of ${e?.split ?? "?"}`;
}

// Seconds from the start to the end; undefined while it goes on.
export function took(search: Search): number | undefined {
  return search.finished ? (search.finished - search.created) / 1000 : undefined;
}

// The present rate of a running search, the mean one of an ended one.
export function speed(search: Search): string {
  const seconds = took(search);
  if (search.state === "running") return rate(search.rate?.per_s);
  return seconds ? rate(search.progress.scored / seconds) : "–";
}
