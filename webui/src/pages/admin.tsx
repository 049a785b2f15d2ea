// admin: tokens, the audit log and the coordinator's own state.
import { useState } from "preact/hooks";
import { api } from "../api/client";
import type { Token, TokenCreate } from "../api/types";
import { dateTime, duration } from "../format";
import { Button, CodeBlock, Confirm, Empty, Failure, Pending, Tile } from "../parts/basics";
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
    setAsked(null);
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
                <td data-label="To">{a.what}</td>
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
      <Tokens />
      <Audit />
    </>
  );
}
