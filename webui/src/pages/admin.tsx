// admin: tokens, the audit log and the coordinator's own state.
import { useEffect, useState } from "preact/hooks";
import { api } from "../api/client";
import type { Token, TokenCreate } from "../api/types";
import { bytes, count, dateTime, duration } from "../format";
import { Bar, Button, CodeBlock, Confirm, Empty, Failure, Pending, Tile } from "../parts/basics";
import { Select, Text } from "../parts/form";
import { mayAdmin } from "../state/session";
import { tell } from "../state/toast";
import { useAction, useResource } from "../state/use";

const roles: { value: TokenCreate["role"]; label: string }[] = [
  { value: "read", label: "read: look at everything" },
  { value: "submit", label: "submit: also upload and start searches" },
  { value: "admin", label: "admin: also manage tokens and workers" },
  { value: "join", label: "join: let workers join" },
];

function NewToken({ onMade }: { onMade: () => void }) {
  const [role, setRole] = useState<TokenCreate["role"]>("read");
  const [name, setName] = useState("");
  const [made, setMade] = useState<Token | null>(null);
  const make = useAction(async () => {
    setMade(await api.createToken(role, name.trim()));
    setName("");
    onMade();
  });
  return (
    <form class="inline-form" onSubmit={(e) => (e.preventDefault(), void make.run())}>
      <Text label="Name" value={name} onChange={setName} placeholder="who or what uses it" required />
      <Select label="Role" value={role} options={roles} onChange={setRole} />
      <Button kind="primary" type="submit" busy={make.busy} disabled={!name.trim()}>
        Make a token
      </Button>
      {make.error && <Failure problem={make.error} what="No token was made" />}
      {made?.secret && <CodeBlock label={`The secret of “${made.name}” (${made.role}), shown only now`} text={made.secret} />}
    </form>
  );
}

function Tokens() {
  const tokens = useResource("tokens", (s) => api.tokens(s));
  const [asked, setAsked] = useState<Token | null>(null);
  const end = useAction(async (t: Token) => {
    await api.deleteToken(t.id);
    setAsked((now) => (now === t ? null : now)); // another question may have been opened meanwhile
    tell(`The token “${t.name}” is revoked.`);
    tokens.reload();
  });
  return (
    <section class="panel" aria-labelledby="tokens-title">
      <h2 id="tokens-title">Tokens</h2>
      {!tokens.value ? (
        <Pending what="tokens" error={tokens.error} reload={tokens.reload} />
      ) : (
        <>
          <table class="list cards-narrow">
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Role</th>
                <th scope="col">Made</th>
                <th scope="col">
                  <span class="sr">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {tokens.value.map((t) => (
                <tr key={t.id}>
                  <td class="name">{t.name}</td>
                  <td data-label="Role">
                    <span class="tag">{t.role}</span>
                  </td>
                  <td data-label="Made" class="muted">
                    {dateTime(t.created)}
                  </td>
                  <td class="end">
                    <Button small kind="quiet" onClick={() => setAsked(t)} aria-label={`Revoke ${t.name}`}>
                      Revoke
                    </Button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          <NewToken onMade={tokens.reload} />
        </>
      )}
      {asked && (
        <Confirm
          title={`Revoke the token “${asked.name}”?`}
          verb="Revoke"
          busy={end.busy}
          error={end.error}
          onYes={() => void end.run(asked)}
          onNo={() => (end.clear(), setAsked(null))}
        >
          <p>Whoever uses it is signed out at once. This cannot be taken back; a new token can be made.</p>
        </Confirm>
      )}
    </section>
  );
}

function Audit() {
  const audit = useResource("audit", (s) => api.audit(s));
  return (
    <section class="panel" aria-labelledby="audit-title">
      <h2 id="audit-title">Audit log</h2>
      {!audit.value ? (
        <Pending what="the audit log" error={audit.error} reload={audit.reload} />
      ) : audit.value.items.length === 0 ? (
        <p class="note">Nothing has been changed yet.</p>
      ) : (
        <table class="list cards-narrow">
          <thead>
            <tr>
              <th scope="col">When</th>
              <th scope="col">Who</th>
              <th scope="col">Did</th>
              <th scope="col">To</th>
            </tr>
          </thead>
          <tbody>
            {audit.value.items.map((a) => (
              <tr key={a.id}>
                <td data-label="When" class="muted">
                  {dateTime(a.at)}
                </td>
                <td data-label="Who">{a.who}</td>
                <td data-label="Did">{a.action}</td>
                <td data-label="To" class="wide anywhere">
                  {a.what}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Coordinator() {
  const state = useResource("coordinator", async (s) => ({ version: await api.version(s), health: await api.health(s) }));
  if (!state.value) return <Pending what="the coordinator’s state" error={state.error} reload={state.reload} />;
  const { version, health } = state.value;
  return (
    <dl class="tiles">
      <Tile label="Version" sub={version.build}>
        {version.version}
      </Tile>
      <Tile label="Worker protocol">{version.protocol}</Tile>
      <Tile label="Up for">{duration(health.uptime_s)}</Tile>
      <Tile label="Loop lag" sub="longest wait for the main loop">
        {health.loop_lag_ms ?? "–"} ms
      </Tile>
    </dl>
  );
}

// "name{labels} value" lines -> the value of one without labels.
function metric(text: string, name: string): number | undefined {
  const m = new RegExp(`^subrank_${name} (\\S+)$`, "m").exec(text);
  return m ? Number(m[1]) : undefined;
}

// From cumulative buckets, summed over all labels: the edge under which this share of the observations lies.
function quantile(text: string, name: string, q: number): number | undefined {
  const sums = new Map<number, number>();
  for (const m of text.matchAll(new RegExp(`^subrank_${name}_bucket\\{(?:[^}]*,)?le="([^"]+)"\\} (\\d+)`, "gm"))) {
    const edge = m[1] === "+Inf" ? Infinity : Number(m[1]);
    sums.set(edge, (sums.get(edge) ?? 0) + Number(m[2]));
  }
  const edges = [...sums.keys()].sort((x, y) => x - y);
  const total = sums.get(Infinity) ?? 0;
  return total ? edges.find((e) => sums.get(e)! >= q * total) : undefined;
}

const figures: [string, string, (v: number) => string][] = [
  ["leases_granted_total", "Leases granted", count],
  ["leases_expired_total", "Leases expired", count],
  ["results_stored_total", "Results stored", count],
  ["results_duplicate_total", "Results sent twice", count],
  ["results_superseded_total", "Results that came too late", count],
  ["results_invalid_total", "Results refused", count],
  ["candidates_scored_total", "Architectures scored", count],
  ["queue_candidates", "Architectures waiting", count],
  ["jobs_open", "Jobs open", count],
  ["leases_live", "Leases live", count],
  ["connections", "Connections", count],
  ["resident_bytes", "Memory", bytes],
  ["database_bytes", "Database", bytes],
  ["wal_bytes", "Write-ahead log", bytes],
  ["disk_free_bytes", "Disk left", bytes],
];

function milliseconds(s: number | undefined): string {
  return s === undefined ? "–" : s === Infinity ? "over 8 s" : `${+(1000 * s).toPrecision(2)} ms`;
}

function Metrics() {
  const metrics = useResource("metrics", (s) => api.metrics(s));
  const text = metrics.value;
  return (
    <section class="panel" aria-labelledby="metrics-title">
      <div class="filters">
        <h2 id="metrics-title">Work and storage since the start</h2>
        <span class="grow" />
        <Button small onClick={metrics.reload}>
          Read again
        </Button>
      </div>
      {text === undefined ? (
        <Pending what="the metrics" error={metrics.error} reload={metrics.reload} />
      ) : (
        <>
          <dl class="facts figures">
            {figures.map(([name, label, show]) => {
              const v = metric(text, name);
              return v === undefined ? null : (
                <>
                  <dt>{label}</dt>
                  <dd>{show(v)}</dd>
                </>
              );
            })}
            <dt>Requests, 99 % within</dt>
            <dd>{milliseconds(quantile(text, "request_seconds", 0.99))}</dd>
            <dt>Commits, 99 % within</dt>
            <dd>{milliseconds(quantile(text, "commit_seconds", 0.99))}</dd>
          </dl>
          <details>
            <summary>All metrics, as Prometheus reads them at /metrics</summary>
            <pre class="metrics" tabIndex={0} aria-label="Prometheus text">
              {text}
            </pre>
          </details>
        </>
      )}
    </section>
  );
}

function BackupPanel() {
  const backup = useResource("backup", (s) => api.backup(s));
  const start = useAction(async () => {
    await api.startBackup();
    tell("The backup has begun; work goes on meanwhile.");
    backup.reload();
  });
  const b = backup.value;
  useEffect(() => {
    if (b?.state !== "running") return;
    const id = setTimeout(backup.reload, 1000);
    return () => clearTimeout(id);
  }, [b]);
  return (
    <section class="panel" aria-labelledby="backup-title">
      <h2 id="backup-title">Backup</h2>
      {b ? (
        <>
          <p>
            {b.state === "running" && `Under way since ${dateTime(b.started, true)}.`}
            {b.state === "done" && `The last one ended ${dateTime(b.finished, true)}: ${bytes(b.bytes)}.`}
            {b.state === "failed" && `The last one failed ${dateTime(b.finished, true)}.`} <code>{b.file}</code>
          </p>
          {b.state === "running" && <Bar value={b.pages_done} of={b.pages} label="Backup" />}
        </>
      ) : backup.error && backup.error.type !== "not-found" ? (
        <Failure problem={backup.error} retry={backup.reload} />
      ) : (
        <p class="note">None since the coordinator started.</p>
      )}
      <div class="actions">
        <Button busy={start.busy || b?.state === "running"} onClick={() => void start.run()}>
          Back up now
        </Button>
      </div>
      {start.error && <Failure problem={start.error} what="No backup was begun" />}
    </section>
  );
}

export function Admin() {
  if (!mayAdmin.value) {
    return (
      <Empty title="Only for administrators">
        <p>Sign in with a token that has the role admin.</p>
      </Empty>
    );
  }
  return (
    <>
      <div class="page-head">
        <h1>Admin</h1>
      </div>
      <Coordinator />
      <Metrics />
      <BackupPanel />
      <Tokens />
      <Audit />
    </>
  );
}
