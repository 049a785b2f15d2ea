// client: the only file that talks to the coordinator by request and answer (live.ts holds the event stream, upload.ts
// the blobs; both use `request`). The session is a cookie that no script can read; requests that change something carry a header that a
// foreign page cannot set. It turns problem+json into Problem, and knows nothing of pages.
import { signal } from "@preact/signals";
import type * as T from "./types";

const BASE = "/api/v1";

export class Problem extends Error {
  readonly status: number;
  readonly type: string;
  readonly where: string;
  readonly document: T.Problem;
  constructor(document: T.Problem) {
    super(document.detail || document.title || `HTTP ${document.status}`);
    this.status = document.status;
    this.type = document.type;
    this.where = document.where ?? "";
    this.document = document;
  }
}

// A problem found on this side.
export function localProblem(type: string, detail: string): Problem {
  return new Problem({ type, title: type, status: 0, detail });
}

// Whether somebody is signed in, as far as this side knows; "refused" becomes true when the coordinator says otherwise.
export const signedIn = signal(localStorage.getItem("subrank.session") !== null);
export const refused = signal(false);
// Milliseconds of the first failed contact since the last good one; 0 while all is well.
export const unreachableSince = signal(0);

async function problemOf(response: Response): Promise<Problem> {
  const title = response.statusText || `HTTP ${response.status}`;
  const fallback = { type: "http", status: response.status, title, detail: title };
  try {
    const document = (await response.json()) as Partial<T.Problem>;
    return new Problem({ ...fallback, ...document, status: response.status });
  } catch {
    return new Problem(fallback);
  }
}

// One exchange. Throws Problem for an answer that is not 2xx (unless its status is in `accept`) and for no answer at all
// (type "unreachable"); an AbortError passes through.
export async function request(path: string, init: RequestInit & { accept?: number[]; root?: boolean } = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set("X-Subrank", "1");
  let response: Response;
  try {
    response = await fetch((init.root ? "" : BASE) + path, { ...init, headers, cache: "no-store" });
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    if (!unreachableSince.value) unreachableSince.value = Date.now();
    throw localProblem("unreachable", "The coordinator does not answer.");
  }
  unreachableSince.value = 0;
  if (response.ok || init.accept?.includes(response.status)) return response;
  const problem = await problemOf(response);
  if (response.status === 401 && path !== "/login") refused.value = true;
  throw problem;
}

// What a look waits for: until the stream that tells of changes is open, so that nothing falls between the two and nothing
// has to be read twice. live.ts sets it, and lets go when the stream takes long.
let ready: Promise<void> = Promise.resolve();
export function waitFor(opened: Promise<void>): void {
  ready = opened;
}

async function json<R>(path: string, init?: RequestInit): Promise<R> {
  const response = await request(path, init);
  return response.status === 204 ? (undefined as R) : ((await response.json()) as R);
}

async function get<R>(path: string, signal?: AbortSignal): Promise<R> {
  await ready;
  return json<R>(path, { signal });
}

function post<R>(path: string, body?: unknown, signal?: AbortSignal): Promise<R> {
  return json<R>(path, {
    method: "POST",
    signal,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

export interface Page<R> {
  items: R[];
  next: string | null;
}

export function queryOf(params: Record<string, string | number | null | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) if (value != null && value !== "") query.set(name, String(value));
  const text = query.toString();
  return text ? `?${text}` : "";
}

// Every item of a list, page after page, up to `most`.
async function all<R>(path: string, signal?: AbortSignal, most = 5000): Promise<R[]> {
  const items: R[] = [];
  let after: string | null = null;
  do {
    const page: Page<R> = await get(path + queryOf({ limit: 1000, after }), signal);
    items.push(...page.items);
    after = page.next;
  } while (after && items.length < most);
  return items;
}

export interface RankingQuery {
  sort?: string;
  order?: "asc" | "desc";
  limit?: number;
  after?: string;
  offset?: number;
  q?: string;
  class?: string;
  status?: "scored" | "failed";
  macs_min?: number;
  macs_max?: number;
  params_min?: number;
  params_max?: number;
  loss_min?: number;
  loss_max?: number;
  accuracy_min?: number;
  accuracy_max?: number;
  accuracy5_min?: number;
  accuracy5_max?: number;
  generation_min?: number;
  generation_max?: number;
  worker?: number;
  choices?: string;
}

// Part of a scatter: what is outside is left out.
export interface Window {
  x_min: number;
  x_max: number;
  y_min: number;
  y_max: number;
}

export const api = {
  login: (token: string) => post<T.Session>("/login", { token }),
  logout: () => json<void>("/logout", { method: "POST", keepalive: true }), // also when the page is left at once
  version: (s?: AbortSignal) => get<T.Version>("/version", s),

  searches: (s?: AbortSignal) => all<T.Search>("/searches", s),
  search: (id: number, s?: AbortSignal) => get<T.Search>(`/searches/${id}`, s),
  createSearch: (body: T.SearchCreate) => post<T.Search>("/searches", body),
  steerSearch: (id: number, verb: "pause" | "resume" | "cancel") => post<T.Search | undefined>(`/searches/${id}/${verb}`),
  patchSearch: (id: number, body: T.SearchPatch) =>
    json<T.Search>(`/searches/${id}`, { method: "PATCH", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }),
  deleteSearch: (id: number) => json<void>(`/searches/${id}`, { method: "DELETE", keepalive: true }),
  ranking: (id: number, query: RankingQuery, s?: AbortSignal) =>
    get<T.Ranking>(`/searches/${id}/ranking${queryOf({ ...query })}`, s),
  candidate: (id: number, code: string, s?: AbortSignal) =>
    get<T.Candidate>(`/searches/${id}/candidates/${encodeURIComponent(code)}`, s),
  pareto: (id: number, cost: "macs" | "params", s?: AbortSignal) =>
    get<T.Pareto>(`/searches/${id}/pareto?cost=${cost}`, s),
  points: (id: number, x: "macs" | "params", s?: AbortSignal, window?: Window) =>
    get<T.Points>(`/searches/${id}/points${queryOf({ x, limit: window ? 4000 : 20000, ...window })}`, s),
  density: (id: number, x: "macs" | "params", s?: AbortSignal, window?: Window) =>
    get<T.Density>(`/searches/${id}/density${queryOf({ x, y: "accuracy", bins: 96, ...window })}`, s),
  importance: (id: number, top: number, s?: AbortSignal) => get<T.Importance>(`/searches/${id}/importance?top=${top}`, s),
  choices: (id: number, limit: number, s?: AbortSignal) => get<T.Choices>(`/searches/${id}/choices?limit=${limit}`, s),
  generations: (id: number, s?: AbortSignal) => get<T.Generations>(`/searches/${id}/generations`, s),
  log: (id: number, s?: AbortSignal) => get<T.LogList>(`/searches/${id}/log?limit=200`, s),
  neighbours: (id: number, code: string, s?: AbortSignal) =>
    get<T.Neighbours>(`/searches/${id}/candidates/${encodeURIComponent(code)}/neighbours`, s),
  history: (id: number, s?: AbortSignal) => get<T.History>(`/searches/${id}/history`, s),
  classes: (id: number, page: { offset: number; limit: number; codes: number }, s?: AbortSignal) =>
    get<T.Classes>(`/searches/${id}/classes${queryOf(page)}`, s),
  correlation: (id: number, s?: AbortSignal) => get<T.Correlation>(`/searches/${id}/correlation`, s),
  putTruth: (id: number, csv: string) =>
    json<T.TruthAnswer>(`/searches/${id}/truth`, { method: "PUT", headers: { "Content-Type": "text/csv" }, body: csv }),

  spaces: (s?: AbortSignal) => all<T.Space>("/spaces", s),
  space: (id: number, s?: AbortSignal) => get<T.Space>(`/spaces/${id}`, s),
  createSpace: (name: string, document: unknown) => post<T.Space>("/spaces", { name, document }),
  plan: (space: number, code: string) => post<T.Plan>(`/spaces/${space}/plan`, { code }),
  feasible: (space: number, body: T.FeasibleRequest, s?: AbortSignal) => post<T.Feasible>(`/spaces/${space}/feasible`, body, s),
  deleteSpace: (id: number) => json<void>(`/spaces/${id}`, { method: "DELETE" }),
  checkpoints: (s?: AbortSignal) => all<T.Checkpoint>("/checkpoints", s),
  checkpoint: (id: number, s?: AbortSignal) => get<T.Checkpoint>(`/checkpoints/${id}`, s),
  createCheckpoint: (body: { name: string; blob: string; space: number; rename?: Record<string, string> }) =>
    post<T.Checkpoint>("/checkpoints", body),
  samples: (id: number, split: string, first: number, s?: AbortSignal) =>
    get<T.Samples>(`/datasets/${id}/samples${queryOf({ split, first, count: 12 })}`, s),
  backup: (s?: AbortSignal) => get<T.Backup>("/backup", s),
  startBackup: () => post<T.Backup>("/backup"),
  datasets: (s?: AbortSignal) => all<T.Dataset>("/datasets", s),
  dataset: (id: number, s?: AbortSignal) => get<T.Dataset>(`/datasets/${id}`, s),
  createDataset: (body: T.DatasetCreate) => post<T.Dataset>("/datasets", body),

  workers: (s?: AbortSignal) => all<T.Worker>("/workers", s),
  worker: (id: number, s?: AbortSignal) => get<T.Worker>(`/workers/${id}`, s),
  workerJobs: (id: number, s?: AbortSignal) => get<T.JobList>(`/workers/${id}/jobs?limit=500`, s),
  revokeWorker: (id: number) => post<T.Worker>(`/workers/${id}/revoke`),
  quarantineWorker: (id: number) => post<T.Worker>(`/workers/${id}/quarantine`),
  releaseWorker: (id: number) => post<T.Worker>(`/workers/${id}/release`),
  audit: (s?: AbortSignal) => get<T.AuditList>("/audit?limit=100", s),
  health: async (s?: AbortSignal): Promise<T.Health> => (await request("/healthz", { signal: s, root: true })).json(),
  metrics: async (s?: AbortSignal): Promise<string> => (await request("/metrics", { signal: s, root: true })).text(),
  tokens: (s?: AbortSignal) => all<T.Token>("/tokens", s),
  createToken: (role: T.TokenCreate["role"], name: string) => post<T.Token>("/tokens", { role, name }),
  deleteToken: (id: number) => json<void>(`/tokens/${id}`, { method: "DELETE" }),
};

// Fetches and hands the bytes to the browser as a file: a plain link could not show why it was refused.
export async function download(path: string, name: string): Promise<void> {
  let response = await request(path);
  // 202: a worker has to make it first.
  while (response.status === 202) {
    const wait = Number(response.headers.get("Retry-After") ?? 2);
    await new Promise((resolve) => setTimeout(resolve, 1000 * Math.min(30, Math.max(1, wait))));
    response = await request(path);
  }
  saveBlob(await response.blob(), name);
}

export function saveBlob(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
