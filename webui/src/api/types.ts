// Made by proto/gen.py from proto/openapi.yaml; do not edit.

export type Sha256 = string;
export type LeaseId = string;
export type Name = string;
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  where?: string;
  retry_s?: number;
  problems?: TensorProblem[];
}
export interface TensorProblem {
  tensor: string;
  problem: string;
}
export interface Health {
  status: "ok";
  loop_lag_ms?: number;
  uptime_s?: number;
}
export interface Backup {
  state: "running" | "done" | "failed";
  file: string;
  pages: number;
  pages_done: number;
  started: number;
  finished: number | null;
  bytes: number;
  error?: { [name: string]: any };
}
export interface Version {
  name: string;
  version: string;
  build?: string;
  protocol: number;
  api: number;
}
export interface Session {
  role: Role;
  name: string;
  id?: number;
}
export interface Login {
  token: string;
}
export type Role = "open" | "read" | "submit" | "admin" | "worker" | "join";
export interface AuditList {
  items: AuditEntry[];
  next: string | null;
}
export interface AuditEntry {
  id: number;
  at: number;
  who: string;
  action: string;
  what: string;
}
export interface Blob {
  sha256: Sha256;
  size: number;
  stored: number;
  complete: boolean;
}
export interface SpaceCreate {
  name: Name;
  document: { [name: string]: any };
}
export interface Space {
  id: number;
  name: string;
  /** Exact count as decimal digits */
  architectures: string;
  decisions: Decision[];
  cost?: { macs?: Bounds; params?: Bounds };
  blocks?: any[];
  /** What a drawing needs */
  stages?: any[];
  document?: { [name: string]: any };
  input?: number[];
  classes?: number;
  created: number;
}
export interface Decision {
  name: string;
  options: any[];
}
export interface Bounds {
  min?: number;
  max?: number;
}
export interface SpaceList {
  items: Space[];
  next: string | null;
}
export interface FeasibleRequest {
  constraints: Constraints;
  /** MACs are for its images; without */
  dataset?: number;
}
export interface Feasible {
  /** In the whole space; exact */
  architectures: string;
  /** How many the constraints leave, decimal digits: exact, or architectures × share rounded */
  estimate: string;
  /** Every architecture was looked at */
  exact: boolean;
  looked_at: number;
  /** How many of those looked at satisfy the constraints */
  feasible: number;
  share: number;
  /** 95 % interval of the share (Wilson); without width when exact */
  ci: number[];
  /** How many of those looked at each limit refuses */
  outside: { macs: Bounds; params: Bounds };
  /** The smallest and largest costs among those looked at */
  met: { macs: Bounds; params: Bounds };
}
export interface PlanRequest {
  code: string;
}
export interface Plan {
  code: string;
  macs: number;
  params: number;
  activation_bytes?: number;
  key?: string;
  class?: string;
  active?: { [name: string]: any };
  ops: PlanOp[];
}
export interface PlanOp {
  op: string;
  path?: string | null;
  out: number[];
  macs?: number;
  params?: number;
  inputs?: number[];
}
export interface CheckpointCreate {
  name: Name;
  blob: Sha256;
  space: number;
  /** Their tensor name -> ours */
  rename?: { [name: string]: any };
}
export interface Checkpoint {
  id: number;
  name: string;
  blob: Sha256;
  size?: number;
  space: number;
  format: string;
  tensors: number;
  params: number;
  unused?: string[];
  list?: Tensor[];
  created: number;
}
export interface Tensor {
  name: string;
  dtype: string;
  shape: number[];
}
export interface CheckpointList {
  items: Checkpoint[];
  next: string | null;
}
export interface DatasetCreate {
  name: Name;
  format: "safetensors" | "cifar" | "idx" | "tar";
  /** Split name -> [{"blob": sha256, "labels": sha256?}, ...] */
  splits: { [name: string]: any };
  classes?: string[];
  channel_order?: "rgb" | "bgr";
  scale?: number;
  mean?: number[];
  std?: number[];
  transform?: any[];
}
export interface Dataset {
  id: number;
  name: string;
  format: string;
  /** Split name -> {"images": n, "class_counts": [...]} */
  splits: { [name: string]: any };
  classes: string[];
  /** [channels, height, width] after the transform */
  image: number[];
  document?: { [name: string]: any };
  created: number;
}
export interface Samples {
  /** [channels, height, width] */
  image: number[];
  /** Images of the split */
  total: number;
  items: Sample[];
}
export interface Sample {
  index: number;
  label: number;
  /** base64 of channels x height x width bytes */
  pixels: string;
}
export interface DatasetList {
  items: Dataset[];
  next: string | null;
}
export type SearchState = "running" | "paused" | "done" | "cancelled" | "failed";
export interface SearchCreate {
  name: Name;
  checkpoint: number;
  dataset: number;
  strategy: Strategy;
  constraints?: Constraints;
  /** {reset, average: ema|cumulative|last|batch|none, momentum, variance: unbiased|biased, batches, batch_size, split, first, order: stored|shuffled, seed} */
  policy?: { [name: string]: any };
  evaluation?: Evaluation;
  seed?: number;
  priority?: number;
  tags?: string[];
  notes?: string;
}
export interface SearchPatch {
  name?: Name;
  priority?: number;
  tags?: string[];
  notes?: string;
}
export interface Strategy {
  name: string;
  [name: string]: any;
}
export interface Constraints {
  macs?: Limits;
  params?: Limits;
}
export interface Limits {
  min?: number;
  max?: number;
}
export interface Evaluation {
  split?: string;
  images?: number;
  batch_size?: number;
  first?: number;
}
export interface Search {
  id: number;
  name: string;
  state: SearchState;
  /** Why it failed */
  error?: ScoreError | null;
  space: number;
  checkpoint: number;
  dataset: number;
  strategy: Strategy;
  constraints?: Constraints;
  policy?: { [name: string]: any };
  evaluation?: Evaluation;
  seed?: number;
  priority?: number;
  tags?: string[];
  notes?: string;
  progress: Progress;
  best?: Candidate | null;
  rate?: { per_s: number };
  eta_s?: number | null;
  created: number;
  finished?: number | null;
  owner?: string;
}
export interface Progress {
  scored: number;
  proposed: number;
  expected: number | null;
  failed: number;
}
export interface SearchList {
  items: Search[];
  next: string | null;
}
export interface Candidate {
  rank?: number | null;
  index?: number;
  code: string;
  class?: string;
  status: "queued" | "leased" | "scored" | "failed";
  accuracy?: number | null;
  accuracy5?: number | null;
  ci?: number[] | null;
  n_images?: number | null;
  n_correct?: number | null;
  n_correct_top5?: number | null;
  loss?: number | null;
  loss_sum?: number | null;
  stats_digest?: string | null;
  macs?: number;
  params?: number;
  generation?: number;
  worker?: number | null;
  backend?: string | null;
  build?: string | null;
  scored_at?: number | null;
  /** Workers whose results for it were compared, its own included; null while it is queued */
  replicas?: number | null;
  /** How many of them agree with what is shown, itself included: 2 and more, another worker has confirmed it */
  agreed?: number | null;
  /** This and what follows only for one candidate */
  job?: number | null;
  /** Of the whole job */
  job_wall_ms?: number | null;
  calibration_images?: number | null;
  /** SHA-256 of the data set record */
  data_hash?: string;
  repeat?: ScoreJob;
  error?: ScoreError | null;
  truth?: number | null;
}
export interface Ranking {
  items: Candidate[];
  next: string | null;
  total: number;
}
export interface Pareto {
  items: Candidate[];
}
export interface Density {
  x: number[];
  y: number[];
  bins: number[];
  counts: number[];
}
export interface History {
  items: ({ n: number; at: number; code: string; accuracy: number })[];
}
export interface Points {
  total: number;
  code: string[];
  x: number[];
  y: number[];
}
export interface Importance {
  items: DecisionImportance[];
}
export interface DecisionImportance {
  decision: string;
  /** Share of the variance */
  importance: number;
  /** Candidates in which it is active */
  n: number;
  options: OptionEffect[];
}
export interface OptionEffect {
  option: string;
  n: number;
  mean: number | null;
  lo: number | null;
  hi: number | null;
  top_share: number | null;
}
export interface Choices {
  total: number;
  code: string[];
  accuracy: number[];
  macs: number[];
  params: number[];
  /** Option of each decision, -1: it has no effect */
  choices: number[][];
}
export interface Generations {
  items: Generation[];
}
export interface Generation {
  generation: number;
  n: number;
  worst: number | null;
  q1: number | null;
  median: number | null;
  q3: number | null;
  best: number | null;
  mean: number | null;
}
export interface Neighbours {
  items: ({ decision: string; from: string | null; to: string | null; candidate: Candidate })[];
  total: number;
}
export interface LogList {
  items: LogEntry[];
  next: string | null;
}
export interface LogEntry {
  id: number;
  at: number;
  kind: string;
  data: { [name: string]: any };
}
export interface Classes {
  items: Class[];
  next: string | null;
  total?: number;
  /** Classes of more than one code */
  several?: number;
  /** Largest difference of accuracy inside a class */
  widest?: number;
}
export interface Class {
  class: string;
  n: number;
  mean?: number | null;
  min?: number | null;
  max?: number | null;
  codes: string[];
}
export interface Truth {
  /** code -> accuracy */
  accuracies: { [name: string]: any };
}
export interface TruthAnswer {
  matched: number;
  unknown?: number;
}
export interface Correlation {
  n: number;
  score?: CorrelationSet;
  macs?: CorrelationSet;
  params?: CorrelationSet;
  top_decile?: TopDecile;
}
export interface TopDecile {
  score?: TopCorrelation;
  macs?: TopCorrelation;
  params?: TopCorrelation;
}
export interface TopCorrelation {
  n?: number;
  tau_b?: Interval;
  spearman?: Interval;
  pearson?: Interval;
  /** Share of them in the tenth with the highest score */
  overlap?: number | null;
  /** Known accuracy of the highest score */
  best_pick?: number | null;
  /** Highest known accuracy */
  best?: number | null;
}
export interface CorrelationSet {
  tau_b?: Interval;
  spearman?: Interval;
  pearson?: Interval;
}
export interface Interval {
  value?: number | null;
  lo?: number | null;
  hi?: number | null;
}
export interface WorkerJoin {
  protocol: number;
  name: Name;
  host?: string;
  backend?: string;
  build?: string;
  threads?: number;
  memory_bytes?: number;
}
export interface WorkerJoined {
  id: number;
  key: string;
  beat_s: number;
  expiry_s: number;
}
export interface Worker {
  id: number;
  name: string;
  host?: string;
  backend?: string;
  build?: string;
  threads?: number;
  memory_bytes?: number;
  state: "busy" | "idle" | "lost" | "left" | "revoked" | "quarantined";
  trust?: Trust;
  leases?: number;
  scored?: number;
  failed?: number;
  candidates_per_s?: number | null;
  images_per_s?: number | null;
  joined?: number;
  /** Last contact */
  seen?: number | null;
  jobs?: WorkerJob[];
}
export interface Trust {
  /** Agreed since the last that did not */
  good?: number;
  bad?: number;
  check_probability?: number;
  /** Since when it gets no jobs and its scores do not count */
  quarantined?: number | null;
  /** An administrator put it there; its scores may have been right */
  by_hand?: boolean;
}
export interface WorkerJob {
  job: number;
  search: number;
  done?: number;
  of?: number;
}
export interface JobList {
  items: JobDone[];
  next: string | null;
}
export interface JobDone {
  id: number;
  search: number;
  kind: string;
  state: string;
  candidates: number;
  created: number;
  done: number | null;
  wall_ms: number | null;
}
export interface WorkerList {
  items: Worker[];
  next: string | null;
}
export interface LeaseRequest {
  protocol: number;
  held?: LeaseId[];
  blobs?: Sha256[];
  max_jobs?: number;
  speed?: { candidates_per_s?: number | null };
}
export interface LeaseAnswer {
  leases: Lease[];
  delay_s: number;
}
export interface Lease {
  job: number;
  lease: LeaseId;
  kind: string;
  expires_s: number;
  input: ScoreJob;
}
export interface ScoreJob {
  kind: "score" | "weights";
  space: { id: number; document: { [name: string]: any } };
  checkpoint: { id: number; blob: Sha256; size: number; rename?: { [name: string]: any } };
  dataset: { id: number; document: { [name: string]: any } };
  policy: { [name: string]: any };
  evaluation: Evaluation;
  candidates: string[];
}
export interface BeatRequest {
  protocol: number;
  held: Held[];
  state?: "busy" | "idle";
  stats?: { images_per_s?: number | null };
}
export interface Held {
  job: number;
  lease: LeaseId;
  done?: number;
  of?: number;
}
export interface BeatAnswer {
  gone: LeaseId[];
  forgotten: Lease[];
  delay_s: number;
}
export interface Result {
  kind: "score" | "weights";
  backend?: string;
  build?: string;
  threads?: number;
  wall_ms?: number;
  calibration_images?: number;
  load_ms?: number;
  calibration_ms?: number;
  score_ms?: number;
  scores?: Score[];
  error?: ScoreError;
}
export interface Score {
  code: string;
  n_images?: number;
  n_correct?: number;
  n_correct_top5?: number;
  /** null when it is not finite */
  loss_sum?: number | null;
  stats_digest?: string;
  macs?: number;
  /** Kind weights: BatchNorm path -> {mean: [...], var: [...]} */
  statistics?: { [name: string]: any };
  error?: ScoreError;
}
export interface ScoreError {
  type: string;
  where?: string;
  detail?: string;
}
export interface ResultAnswer {
  status: "stored" | "duplicate" | "superseded" | "cancelled";
}
export interface TokenCreate {
  role: "admin" | "submit" | "read" | "join";
  name: Name;
}
export interface Token {
  id: number;
  role: Role;
  name: string;
  created: number;
  /** Only in the answer to POST */
  secret?: string;
}
export interface TokenList {
  items: Token[];
  next: string | null;
}

export interface Operation { method: string; path: string; roles: readonly string[]; query: readonly string[]; summary: string }

export const operations = {
  getHealth: { method: "GET", path: "/healthz", roles: ["open"], query: [], summary: "200 while the loop turns and the database answers" },
  getMetrics: { method: "GET", path: "/metrics", roles: ["read"], query: [], summary: "Prometheus text" },
  getOpenapi: { method: "GET", path: "/openapi.json", roles: ["open"], query: [], summary: "This document as JSON" },
  getVersion: { method: "GET", path: "/api/v1/version", roles: ["open"], query: [], summary: "Build and protocol" },
  getSession: { method: "GET", path: "/api/v1/session", roles: ["read", "worker", "join"], query: [], summary: "Whose token this is" },
  login: { method: "POST", path: "/api/v1/login", roles: ["open"], query: [], summary: "For browsers: exchanges a token of role read, submit or admin for a session cookie (HttpOnly, SameSite=Strict, twelve hours). This and every later request that changes something on the strength of the cookie must carry the header X-Subrank, which a foreign page cannot send." },
  logout: { method: "POST", path: "/api/v1/logout", roles: ["read"], query: [], summary: "Ends the session of the cookie" },
  streamEvents: { method: "GET", path: "/api/v1/events", roles: ["read"], query: ["search"], summary: "Server-sent events. `id:` is the event sequence, sent again from Last-Event-ID; `event:` is search, score, worker, job, space, checkpoint, dataset or reset (events were dropped: read the state again). `data:` is JSON: search {\"search\",\"state\"}; score {\"search\",\"scored\",\"code\",\"accuracy\",\"macs\",\"params\"}, the newest score, at most four a second for each search; worker {\"worker\",\"state\"}; job {\"job\",\"search\",\"state\",\"worker\"}. A comment line comes at least every 15 s." },
  listAudit: { method: "GET", path: "/api/v1/audit", roles: ["admin"], query: ["limit", "after"], summary: "Who changed what and when, newest first" },
  getBackup: { method: "GET", path: "/api/v1/backup", roles: ["admin"], query: [], summary: "The last backup since the start, done or under way" },
  createBackup: { method: "POST", path: "/api/v1/backup", roles: ["admin"], query: [], summary: "Begin a backup into the coordinator's backup directory; work goes on meanwhile" },
  getBlob: { method: "GET", path: "/api/v1/blobs/{sha256}", roles: ["submit", "worker"], query: [], summary: "Download; one Range is honoured, ETag is the hash" },
  headBlob: { method: "HEAD", path: "/api/v1/blobs/{sha256}", roles: ["submit", "worker"], query: [], summary: "Is it here? 404 carries Upload-Length, the bytes stored so far" },
  putBlob: { method: "PUT", path: "/api/v1/blobs/{sha256}", roles: ["submit"], query: [], summary: "Upload. Without Content-Range the body is the whole blob; with `Content-Range: bytes A-B/TOTAL` it continues at A, which must be the stored length. What arrived before a cut stays, so a client continues after HEAD." },
  listSpaces: { method: "GET", path: "/api/v1/spaces", roles: ["read"], query: ["limit", "after"], summary: "All spaces" },
  createSpace: { method: "POST", path: "/api/v1/spaces", roles: ["submit"], query: [], summary: "Add a search space" },
  getSpace: { method: "GET", path: "/api/v1/spaces/{id}", roles: ["read"], query: [], summary: "One space with its document and stages" },
  deleteSpace: { method: "DELETE", path: "/api/v1/spaces/{id}", roles: ["submit"], query: [], summary: "Delete; 409 while a checkpoint uses it" },
  planSpace: { method: "POST", path: "/api/v1/spaces/{id}/plan", roles: ["read"], query: [], summary: "One architecture as ops, parameters and MACs" },
  surveyFeasible: { method: "POST", path: "/api/v1/spaces/{id}/feasible", roles: ["read"], query: [], summary: "How many architectures constraints leave: counted in a space of at most 100,000 architectures, else (and where that takes more than half a second) estimated from a uniform sample of 20,000 or of half a second" },
  listCheckpoints: { method: "GET", path: "/api/v1/checkpoints", roles: ["read"], query: ["limit", "after"], summary: "All checkpoints" },
  createCheckpoint: { method: "POST", path: "/api/v1/checkpoints", roles: ["submit"], query: [], summary: "Bind an uploaded blob to a space; 422 lists missing and misshapen tensors under problems" },
  getCheckpoint: { method: "GET", path: "/api/v1/checkpoints/{id}", roles: ["read"], query: [], summary: "One checkpoint with its tensors" },
  deleteCheckpoint: { method: "DELETE", path: "/api/v1/checkpoints/{id}", roles: ["submit"], query: [], summary: "Delete; 409 while a search uses it" },
  listDatasets: { method: "GET", path: "/api/v1/datasets", roles: ["read"], query: ["limit", "after"], summary: "All data sets" },
  createDataset: { method: "POST", path: "/api/v1/datasets", roles: ["submit"], query: [], summary: "Describe uploaded blobs as images and labels; every file is read and checked before the answer" },
  getDataset: { method: "GET", path: "/api/v1/datasets/{id}", roles: ["read"], query: [], summary: "One data set with its document" },
  deleteDataset: { method: "DELETE", path: "/api/v1/datasets/{id}", roles: ["submit"], query: [], summary: "Delete; 409 while a search uses it" },
  getSamples: { method: "GET", path: "/api/v1/datasets/{id}/samples", roles: ["read"], query: ["split", "first", "count"], summary: "Some images after the transform, the normalisation taken back" },
  listSearches: { method: "GET", path: "/api/v1/searches", roles: ["read"], query: ["limit", "after", "state"], summary: "All searches, newest first" },
  createSearch: { method: "POST", path: "/api/v1/searches", roles: ["submit"], query: [], summary: "Start a search" },
  getSearch: { method: "GET", path: "/api/v1/searches/{id}", roles: ["read"], query: [], summary: "State, progress, best, rate, time left" },
  patchSearch: { method: "PATCH", path: "/api/v1/searches/{id}", roles: ["submit"], query: [], summary: "Change name, priority, tags or notes" },
  deleteSearch: { method: "DELETE", path: "/api/v1/searches/{id}", roles: ["submit"], query: [], summary: "Delete the search and its results" },
  pauseSearch: { method: "POST", path: "/api/v1/searches/{id}/pause", roles: ["submit"], query: [], summary: "No new leases; running jobs finish" },
  resumeSearch: { method: "POST", path: "/api/v1/searches/{id}/resume", roles: ["submit"], query: [], summary: "Go on after a pause" },
  cancelSearch: { method: "POST", path: "/api/v1/searches/{id}/cancel", roles: ["submit"], query: [], summary: "Stop for good; results so far stay" },
  getRanking: { method: "GET", path: "/api/v1/searches/{id}/ranking", roles: ["read"], query: ["sort", "order", "limit", "after", "offset", "macs_min", "macs_max", "params_min", "params_max", "accuracy_min", "accuracy_max", "accuracy5_min", "accuracy5_max", "generation_min", "generation_max", "worker", "loss_min", "loss_max", "q", "class", "choices", "status"], summary: "Any sort, filter, keyset pages" },
  getCandidate: { method: "GET", path: "/api/v1/searches/{id}/candidates/{code}", roles: ["read"], query: [], summary: "One candidate with how it was scored" },
  getCandidateWeights: { method: "GET", path: "/api/v1/searches/{id}/candidates/{code}/weights.safetensors", roles: ["read"], query: [], summary: "Weights sliced to the architecture, with recalibrated statistics; 202 while a worker makes them" },
  getPareto: { method: "GET", path: "/api/v1/searches/{id}/pareto", roles: ["read"], query: ["cost"], summary: "Accuracy against a cost" },
  getDensity: { method: "GET", path: "/api/v1/searches/{id}/density", roles: ["read"], query: ["x", "y", "bins", "x_min", "x_max", "y_min", "y_max"], summary: "Candidates counted in bins of two columns" },
  getHistory: { method: "GET", path: "/api/v1/searches/{id}/history", roles: ["read"], query: [], summary: "Each improvement of the best, oldest first" },
  getPoints: { method: "GET", path: "/api/v1/searches/{id}/points", roles: ["read"], query: ["x", "limit", "x_min", "x_max", "y_min", "y_max"], summary: "Accuracy against a cost as columns, inside a window; when there are more than limit, an evenly spaced selection with the front" },
  getImportance: { method: "GET", path: "/api/v1/searches/{id}/importance", roles: ["read"], query: ["top"], summary: "How much of the variance each decision explains" },
  getChoices: { method: "GET", path: "/api/v1/searches/{id}/choices", roles: ["read"], query: ["limit"], summary: "Candidates with the option of every decision, as columns; more than limit: evenly spaced over the ranking" },
  getGenerations: { method: "GET", path: "/api/v1/searches/{id}/generations", roles: ["read"], query: [], summary: "Accuracy in each generation" },
  listLog: { method: "GET", path: "/api/v1/searches/{id}/log", roles: ["read"], query: ["limit", "after"], summary: "Recent events of a search, newest first" },
  getNeighbours: { method: "GET", path: "/api/v1/searches/{id}/candidates/{code}/neighbours", roles: ["read"], query: [], summary: "Scored candidates that differ in one decision, best first, at most 200" },
  getClasses: { method: "GET", path: "/api/v1/searches/{id}/classes", roles: ["read"], query: ["limit", "after", "offset", "codes"], summary: "Isomorphic candidates grouped with their spread, best mean first" },
  putTruth: { method: "PUT", path: "/api/v1/searches/{id}/truth", roles: ["submit"], query: [], summary: "Known accuracies, as JSON or as text/csv lines code,accuracy" },
  getCorrelation: { method: "GET", path: "/api/v1/searches/{id}/correlation", roles: ["read"], query: [], summary: "tau-b, rho and r of scores, MACs and parameters with the truth" },
  exportCsv: { method: "GET", path: "/api/v1/searches/{id}/export.csv", roles: ["read"], query: [], summary: "All candidates as CSV" },
  exportJson: { method: "GET", path: "/api/v1/searches/{id}/export.json", roles: ["read"], query: [], summary: "The search and all candidates as JSON" },
  listWorkers: { method: "GET", path: "/api/v1/workers", roles: ["read"], query: ["limit", "after"], summary: "The fleet" },
  joinWorker: { method: "POST", path: "/api/v1/workers", roles: ["join"], query: [], summary: "A new worker gets its own key" },
  leaveWorker: { method: "DELETE", path: "/api/v1/workers/me", roles: ["worker"], query: [], summary: "Leaves: its leases go back, its key ends" },
  getWorker: { method: "GET", path: "/api/v1/workers/{id}", roles: ["read"], query: [], summary: "One worker" },
  listWorkerJobs: { method: "GET", path: "/api/v1/workers/{id}/jobs", roles: ["read"], query: ["limit", "after"], summary: "Jobs whose results came from this worker, newest first" },
  revokeWorker: { method: "POST", path: "/api/v1/workers/{id}/revoke", roles: ["admin"], query: [], summary: "Its key ends now; its leases go back" },
  quarantineWorker: { method: "POST", path: "/api/v1/workers/{id}/quarantine", roles: ["admin"], query: [], summary: "It gets no more jobs, its leases go back, and what it scored is taken back and scored again by others; its key stays" },
  releaseWorker: { method: "POST", path: "/api/v1/workers/{id}/release", roles: ["admin"], query: [], summary: "Ends its quarantine; its trust begins anew" },
  createLeases: { method: "POST", path: "/api/v1/leases", roles: ["worker"], query: [], summary: "Ask for jobs; an empty list comes with a delay" },
  returnLease: { method: "DELETE", path: "/api/v1/leases/{lease}", roles: ["worker"], query: [], summary: "Give a job back unfinished" },
  beat: { method: "POST", path: "/api/v1/beats", roles: ["worker"], query: [], summary: "One beat a worker for all leases it holds" },
  putResult: { method: "PUT", path: "/api/v1/results/{job}/{lease}", roles: ["worker"], query: [], summary: "Idempotent; every answer of status 200 or 422 means: delete your copy" },
  listTokens: { method: "GET", path: "/api/v1/tokens", roles: ["admin"], query: ["limit", "after"], summary: "Tokens without their secrets" },
  createToken: { method: "POST", path: "/api/v1/tokens", roles: ["admin"], query: [], summary: "The secret is shown once" },
  revokeToken: { method: "DELETE", path: "/api/v1/tokens/{id}", roles: ["admin"], query: [], summary: "Ends at once" },
} as const satisfies Record<string, Operation>;
export type OperationId = keyof typeof operations;

/** Body of the request and of the successful answer of each operation; Raw is not JSON. */
export type Raw = Response;
export interface Bodies {
  getHealth: { request: void; answer: void };
  getMetrics: { request: void; answer: Raw };
  getOpenapi: { request: void; answer: { [name: string]: any } };
  getVersion: { request: void; answer: Version };
  getSession: { request: void; answer: Session };
  login: { request: Login; answer: Session };
  logout: { request: void; answer: void };
  streamEvents: { request: void; answer: Raw };
  listAudit: { request: void; answer: AuditList };
  getBackup: { request: void; answer: Backup };
  createBackup: { request: void; answer: Backup };
  getBlob: { request: void; answer: Raw };
  headBlob: { request: void; answer: void };
  putBlob: { request: void; answer: Blob };
  listSpaces: { request: void; answer: SpaceList };
  createSpace: { request: SpaceCreate; answer: Space };
  getSpace: { request: void; answer: Space };
  deleteSpace: { request: void; answer: void };
  planSpace: { request: PlanRequest; answer: Plan };
  surveyFeasible: { request: FeasibleRequest; answer: Feasible };
  listCheckpoints: { request: void; answer: CheckpointList };
  createCheckpoint: { request: CheckpointCreate; answer: Checkpoint };
  getCheckpoint: { request: void; answer: Checkpoint };
  deleteCheckpoint: { request: void; answer: void };
  listDatasets: { request: void; answer: DatasetList };
  createDataset: { request: DatasetCreate; answer: Dataset };
  getDataset: { request: void; answer: Dataset };
  deleteDataset: { request: void; answer: void };
  getSamples: { request: void; answer: Samples };
  listSearches: { request: void; answer: SearchList };
  createSearch: { request: SearchCreate; answer: Search };
  getSearch: { request: void; answer: Search };
  patchSearch: { request: SearchPatch; answer: Search };
  deleteSearch: { request: void; answer: void };
  pauseSearch: { request: void; answer: Search };
  resumeSearch: { request: void; answer: Search };
  cancelSearch: { request: void; answer: Search };
  getRanking: { request: void; answer: Ranking };
  getCandidate: { request: void; answer: Candidate };
  getCandidateWeights: { request: void; answer: Raw };
  getPareto: { request: void; answer: Pareto };
  getDensity: { request: void; answer: Density };
  getHistory: { request: void; answer: History };
  getPoints: { request: void; answer: Points };
  getImportance: { request: void; answer: Importance };
  getChoices: { request: void; answer: Choices };
  getGenerations: { request: void; answer: Generations };
  listLog: { request: void; answer: LogList };
  getNeighbours: { request: void; answer: Neighbours };
  getClasses: { request: void; answer: Classes };
  putTruth: { request: Truth; answer: TruthAnswer };
  getCorrelation: { request: void; answer: Correlation };
  exportCsv: { request: void; answer: Raw };
  exportJson: { request: void; answer: { [name: string]: any } };
  listWorkers: { request: void; answer: WorkerList };
  joinWorker: { request: WorkerJoin; answer: WorkerJoined };
  leaveWorker: { request: void; answer: void };
  getWorker: { request: void; answer: Worker };
  listWorkerJobs: { request: void; answer: JobList };
  revokeWorker: { request: void; answer: Worker };
  quarantineWorker: { request: void; answer: Worker };
  releaseWorker: { request: void; answer: Worker };
  createLeases: { request: LeaseRequest; answer: LeaseAnswer };
  returnLease: { request: void; answer: void };
  beat: { request: BeatRequest; answer: BeatAnswer };
  putResult: { request: Result; answer: ResultAnswer };
  listTokens: { request: void; answer: TokenList };
  createToken: { request: TokenCreate; answer: Token };
  revokeToken: { request: void; answer: void };
}
