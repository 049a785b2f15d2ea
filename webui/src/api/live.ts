// live: one stream of server-sent events for the whole tab.
//
// It is read by fetch and not by EventSource, because fetch tells why a connection was refused. After a cut it asks for what it
// missed (Last-Event-ID) and waits longer each time; a hidden tab holds no connection at all and catches up when shown.
// Listeners are told which kinds of thing changed, at most four times a second; they then ask for what they show.
import { signal } from "@preact/signals";
import { refused, request, signedIn, waitFor } from "./client";

export interface Change {
  kinds: Set<string>;
  searches: Set<number>; // searches named by any event since the last call
  missed: boolean; // the stream was cut or paused: anything may have changed
}
type Listener = (change: Change) => void;

export const liveState = signal<"off" | "connecting" | "live" | "waiting">("off");

const REDRAW_MS = 250;
const OPENING_MS = 300; // then looks no longer wait for the stream
const listeners = new Set<Listener>();
let lastId = "";
let stop: AbortController | null = null;
let pending: Change | null = null;
let timer = 0;

export function listen(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function flush(): void {
  timer = 0;
  const change = pending;
  pending = null;
  if (change) for (const listener of [...listeners]) listener(change);
}

function note(kind: string | null, search?: number): void {
  pending ??= { kinds: new Set(), searches: new Set(), missed: false };
  if (kind) pending.kinds.add(kind);
  else pending.missed = true;
  if (search !== undefined) pending.searches.add(search);
  if (!timer) timer = window.setTimeout(flush, REDRAW_MS);
}

function take(block: string): void {
  let kind = "message";
  let data = "";
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon === 0) continue;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "id") lastId = value;
    else if (name === "event") kind = value;
    else if (name === "data") data += value;
  }
  if (!data && kind === "message") return;
  if (kind === "reset") return note(null); // the coordinator dropped events: everything is read again
  let search: number | undefined;
  try {
    const body = JSON.parse(data) as { search?: number; id?: number };
    search = body.search ?? (kind === "search" ? body.id : undefined);
  } catch {
    search = undefined;
  }
  note(kind, search);
}

async function read(body: ReadableStream<Uint8Array>): Promise<void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text = (text + decoder.decode(value, { stream: true })).replace(/\r\n?/g, "\n");
    let end: number;
    while ((end = text.indexOf("\n\n")) >= 0) {
      take(text.slice(0, end));
      text = text.slice(end + 2);
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const id = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(id), resolve()));
  });
}

async function run(signal: AbortSignal): Promise<void> {
  let failures = 0;
  let late = false; // something may have been read before the stream was open
  let opened = () => {};
  waitFor(
    new Promise((resolve) => {
      opened = resolve;
      setTimeout(() => ((late = liveState.value !== "live"), resolve()), OPENING_MS);
    }),
  );
  while (!signal.aborted) {
    liveState.value = "connecting";
    try {
      const headers: Record<string, string> = { Accept: "text/event-stream" };
      if (lastId) headers["Last-Event-ID"] = lastId;
      const response = await request("/events", { headers, signal });
      if (failures || late) note(null);
      failures = 0;
      late = false;
      liveState.value = "live";
      opened();
      if (response.body) await read(response.body);
    } catch {
      // Every failure is met in the same way: wait, then try again.
    }
    if (signal.aborted) return;
    failures++;
    opened();
    liveState.value = "waiting";
    await pause(Math.min(30_000, 500 * 2 ** Math.min(failures, 6)) * (0.5 + Math.random() / 2), signal);
  }
}

function update(): void {
  const wanted = signedIn.value && !refused.value && !document.hidden;
  if (wanted && !stop) {
    stop = new AbortController();
    void run(stop.signal);
    if (lastId) note(null);
  } else if (!wanted && stop) {
    stop.abort();
    stop = null;
    liveState.value = "off";
  }
}

export function startLive(): void {
  document.addEventListener("visibilitychange", update);
  addEventListener("online", () => (stop?.abort(), (stop = null), update()));
  signedIn.subscribe(update);
  refused.subscribe(update);
}
