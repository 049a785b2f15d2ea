// uploads: the files on their way to the coordinator. They go on while the user visits other pages. What a reload cut
// off is remembered by name, size and date, so that choosing the same file again continues where it stopped.
import { computed, signal } from "@preact/signals";
import { upload } from "../api/upload";
import { asProblem } from "./use";

export interface Upload {
  id: number;
  name: string;
  size: number;
  modified: number;
  stage: "hashing" | "sending" | "done" | "failed" | "interrupted";
  done: number;
  perSecond: number;
  sha?: string;
  error?: string;
}

const KEY = "subrank.uploads";
const files = new Map<number, File>();
const stops = new Map<number, AbortController>();
const promises = new Map<number, Promise<string>>();
let nextId = 1;

function remembered(): Upload[] {
  try {
    const list = JSON.parse(localStorage.getItem(KEY) ?? "[]") as Upload[];
    return list.map((u) => ({ ...u, id: nextId++, stage: "interrupted", perSecond: 0 }));
  } catch {
    return [];
  }
}

export const uploads = signal<Upload[]>(remembered());
export const activeUploads = computed(() => uploads.value.filter((u) => u.stage === "hashing" || u.stage === "sending"));
export const interruptedUploads = computed(() => uploads.value.filter((u) => u.stage === "interrupted"));

function remember(): void {
  const unfinished = uploads.value.filter((u) => u.stage === "sending" || u.stage === "interrupted" || (u.stage === "failed" && u.sha));
  localStorage.setItem(KEY, JSON.stringify(unfinished.map(({ name, size, modified, done, sha }) => ({ name, size, modified, done, sha }))));
}

function change(id: number, fields: Partial<Upload>): void {
  uploads.value = uploads.value.map((u) => (u.id === id ? { ...u, ...fields } : u));
}

function run(id: number, file: File): Promise<string> {
  const stop = new AbortController();
  stops.set(id, stop);
  let since = 0;
  let from = 0;
  let drawn = 0;
  let stage = "";
  const promise = upload(
    file,
    (p) => {
      const now = Date.now();
      if (p.stage === "sending" && !since) {
        since = now;
        from = p.done;
      }
      if (now - drawn < 250 && p.done < p.of && p.stage === stage) return;
      drawn = now;
      stage = p.stage;
      const perSecond = since && now > since ? ((p.done - from) * 1000) / (now - since) : 0;
      change(id, { stage: p.stage, done: p.done, sha: p.sha, perSecond });
      remember();
    },
    stop.signal,
  ).catch((error: unknown) => {
    const cancelled = (error as Error).name === "AbortError";
    if (cancelled) dismiss(id);
    else change(id, { stage: "failed", error: asProblem(error).message });
    remember();
    throw error;
  });
  promises.set(id, promise);
  promise.catch(() => undefined);
  return promise;
}

// Starts (or continues) the upload of a file; the promise gives its hash. The same file is not sent twice at once.
export function startUpload(file: File): { id: number; sha: Promise<string> } {
  const same = uploads.value.find((u) => u.name === file.name && u.size === file.size && u.modified === file.lastModified);
  if (same && promises.has(same.id) && same.stage !== "failed") return { id: same.id, sha: promises.get(same.id)! };
  const id = same?.id ?? nextId++;
  if (same) change(id, { stage: "hashing", error: undefined, done: 0 });
  else {
    const fresh: Upload = { id, name: file.name, size: file.size, modified: file.lastModified, stage: "hashing", done: 0, perSecond: 0 };
    uploads.value = [...uploads.value, fresh];
  }
  files.set(id, file);
  return { id, sha: run(id, file) };
}

export function retryUpload(id: number): Promise<string> | null {
  const file = files.get(id);
  if (!file) return null;
  change(id, { stage: "hashing", error: undefined });
  return run(id, file);
}

export function cancelUpload(id: number): void {
  stops.get(id)?.abort();
}

export function dismiss(id: number): void {
  files.delete(id);
  promises.delete(id);
  uploads.value = uploads.value.filter((u) => u.id !== id);
  remember();
}
