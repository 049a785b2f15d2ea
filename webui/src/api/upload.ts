// upload: one file to /blobs/{sha256}, from wherever an earlier try left off.
//
// The file is hashed first (its name at the coordinator is its hash), then HEAD tells how much is stored already, and
// the rest goes in pieces by Content-Range. A cut connection is retried from a new HEAD; only a refusal ends it.
import { localProblem, Problem, request } from "./client";

export interface UploadProgress {
  stage: "hashing" | "sending" | "done";
  done: number;
  of: number;
  sha?: string;
}

const PIECE = 8 * 1024 * 1024;
const TRIES = 8;

function hash(file: File, tell: (done: number) => void, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(HASHER_URL, { type: "module" });
    const end = (act: () => void) => (worker.terminate(), act());
    signal.addEventListener("abort", () => end(() => reject(new DOMException("Cancelled", "AbortError"))));
    worker.onerror = (e) => end(() => reject(new Error(e.message || "The hashing worker did not start.")));
    worker.onmessage = (e: MessageEvent<{ done?: number; sha?: string; error?: string }>) => {
      if (e.data.sha) end(() => resolve(e.data.sha!));
      else if (e.data.error) end(() => reject(new Error(e.data.error)));
      else tell(e.data.done ?? 0);
    };
    worker.postMessage(file);
  });
}

async function stored(sha: string, signal: AbortSignal): Promise<{ complete: boolean; length: number }> {
  const response = await request(`/blobs/${sha}`, { method: "HEAD", accept: [404], signal });
  return { complete: response.ok, length: Number(response.headers.get("Upload-Length") ?? 0) };
}

async function sendRest(file: File, sha: string, tell: (done: number) => void, signal: AbortSignal): Promise<void> {
  const before = await stored(sha, signal);
  let at = before.length;
  let complete = before.complete;
  tell(complete ? file.size : at);
  while (!complete) {
    const end = Math.min(at + PIECE, file.size);
    const response = await request(`/blobs/${sha}`, {
      method: "PUT",
      headers: at === 0 && end === file.size ? {} : { "Content-Range": `bytes ${at}-${end - 1}/${file.size}` },
      body: file.slice(at, end),
      signal,
      accept: [416],
    });
    if (response.status === 416) at = Number(response.headers.get("Upload-Length") ?? 0);
    else at = end;
    complete = response.status === 201 || response.status === 200;
    if (!complete && at >= file.size) throw localProblem("corrupt", "The coordinator did not confirm the file.");
    tell(at);
  }
}

function final(error: unknown): boolean {
  if ((error as Error).name === "AbortError") return true;
  return error instanceof Problem && error.status >= 400 && error.status < 500 && error.status !== 429;
}

export async function upload(file: File, tell: (p: UploadProgress) => void, signal: AbortSignal): Promise<string> {
  tell({ stage: "hashing", done: 0, of: file.size });
  const sha = await hash(file, (done) => tell({ stage: "hashing", done, of: file.size }), signal);
  for (let tries = 1; ; tries++) {
    try {
      await sendRest(file, sha, (done) => tell({ stage: "sending", done, of: file.size, sha }), signal);
      tell({ stage: "done", done: file.size, of: file.size, sha });
      return sha;
    } catch (error) {
      if (final(error) || tries >= TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, Math.min(15_000, 400 * 2 ** tries)));
    }
  }
}
