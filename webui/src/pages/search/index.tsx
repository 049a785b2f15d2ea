// search: one search. This file draws its head (state, progress, actions) and chooses the view; each view has a file.
import { useState } from "preact/hooks";
import { api, download } from "../../api/client";
import type { Search } from "../../api/types";
import { ago, count, dateTime, duration, percent, si } from "../../format";
import { Bar, Button, Confirm, Failure, Pending, StateBadge, Tabs, Tile } from "../../parts/basics";
import { speed, took } from "../../parts/words";
import { go, route, setQuery } from "../../router";
import { deleteLater, UNDO_S } from "../../state/deletions";
import { maySubmit } from "../../state/session";
import { tell } from "../../state/toast";
import { type Resource, useAction, useNow, useResource } from "../../state/use";
import { CandidatePanel } from "./candidate";
import { Decisions } from "./decisions";
import { HistoryView } from "./history";
import { Overview } from "./overview";
import { Settings } from "./settings";
import { Trust } from "./trust";

type Verb = "pause" | "resume" | "cancel";
const done: Record<Verb, string> = { pause: "Paused: running jobs finish, no new ones start.", resume: "The search goes on.", cancel: "Cancelled. What was scored stays." };

function Actions({ search, reload }: { search: Search; reload: () => void }) {
  const [asked, setAsked] = useState<"cancel" | "delete" | null>(null);
  const steer = useAction(async (verb: Verb) => {
    await api.steerSearch(search.id, verb);
    setAsked((now) => (now === verb ? null : now)); // another question may have been opened meanwhile
    tell(done[verb]);
    reload();
  });
  const remove = () => {
    setAsked(null);
    deleteLater(search);
    go("/searches");
  };
  const save = useAction((kind: "csv" | "json") => download(`/searches/${search.id}/export.${kind}`, `search-${search.id}.${kind}`));
  const active = search.state === "running" || search.state === "paused";
  const failed = steer.error ?? save.error;
  return (
    <>
      <div class="actions">
        <Button small busy={save.busy} onClick={() => void save.run("csv")}>
          Export CSV
        </Button>
        <Button small busy={save.busy} onClick={() => void save.run("json")}>
          Export JSON
        </Button>
        {maySubmit.value && (
          <>
            <a class="button plain small" href={`/compare?searches=${search.id}`}>
              Compare
            </a>
            <a class="button plain small" href={`/searches/new?from=${search.id}`}>
              Duplicate
            </a>
            {search.state === "running" && (
              <Button small busy={steer.busy} onClick={() => void steer.run("pause")}>
                Pause
              </Button>
            )}
            {search.state === "paused" && (
              <Button small kind="primary" busy={steer.busy} onClick={() => void steer.run("resume")}>
                Resume
              </Button>
            )}
            {active ? (
              <Button small kind="danger" onClick={() => setAsked("cancel")}>
                Cancel
              </Button>
            ) : (
              <Button small kind="danger" onClick={() => setAsked("delete")}>
                Delete
              </Button>
            )}
          </>
        )}
      </div>
      {failed && <Failure problem={failed} />}
      {asked === "cancel" && (
        <Confirm
          title={`Cancel “${search.name}”?`}
          verb="Cancel the search"
          busy={steer.busy}
          error={steer.error}
          onYes={() => void steer.run("cancel")}
          onNo={() => setAsked(null)}
        >
          <p>It stops for good; what is scored so far stays. To stop for a while, pause it.</p>
        </Confirm>
      )}
      {asked === "delete" && (
        <Confirm
          title={`Delete “${search.name}”?`}
          verb="Delete"
          onYes={remove}
          onNo={() => setAsked(null)}
        >
          <p>
            The search and its {count(search.progress.scored)} scores are removed from the coordinator. You can undo it for {UNDO_S} seconds;
            after that this cannot be taken back.
          </p>
        </Confirm>
      )}
    </>
  );
}

function Head({ search, reload }: { search: Search; reload: () => void }) {
  const now = useNow(5000);
  const { progress, best } = search;
  const running = search.state === "running";
  return (
    <>
      <div class="page-head">
        <div class="title">
          <p class="crumb">
            <a href="/searches">Searches</a>
          </p>
          <h1>
            {search.name} <StateBadge state={search.state} />
          </h1>
          <p class="muted">
            {search.strategy.name}
            {search.owner && ` · by ${search.owner}`} · <span title={dateTime(search.created)}>started {ago(search.created, now)}</span>
            {(search.tags ?? []).map((t) => (
              <span class="tag">{t}</span>
            ))}
          </p>
        </div>
        <span class="grow" />
        <Actions search={search} reload={reload} />
      </div>
      {search.error && (
        <div class="failure" role="alert">
          <strong>The search stopped:</strong> {search.error.detail ?? search.error.type}
          {search.error.where && (
            <>
              {" "}
              at <code>{search.error.where}</code>
            </>
          )}
        </div>
      )}
      <dl class="tiles">
        <Tile label="Best accuracy" sub={best?.ci ? `95 %: ${percent(best.ci[0], 1)} to ${percent(best.ci[1], 1)}` : undefined}>
          {best?.accuracy != null ? percent(best.accuracy) : "–"}
        </Tile>
        <Tile
          label="Best architecture"
          sub={best ? `${si(best.macs, "MACs")} · ${si(best.params)} parameters` : undefined}
        >
          {best ? (
            <button type="button" class="link code ellipsis" onClick={() => setQuery({ code: best.code }, true)} title={best.code}>
              {best.code}
            </button>
          ) : (
            "–"
          )}
        </Tile>
        <Tile
          label="Scored"
          sub={<Bar value={progress.scored + progress.failed} of={progress.expected} label="Progress" />}
        >
          {count(progress.scored)}
          {progress.expected != null && <span class="muted of"> of {count(progress.expected)}</span>}
          {progress.failed > 0 && <span class="bad of"> {count(progress.failed)} failed</span>}
        </Tile>
        <Tile label={search.finished ? "Mean rate" : "Rate"} sub={speed(search) === "–" ? undefined : "architectures"}>
          {speed(search)}
        </Tile>
        {search.finished ? <Tile label="Took">{duration(took(search))}</Tile> : <Tile label="Time left">{running ? duration(search.eta_s) : "–"}</Tile>}
      </dl>
    </>
  );
}

const tabs = [
  { id: "ranking", label: "Ranking" },
  { id: "decisions", label: "Decisions" },
  { id: "history", label: "History" },
  { id: "trust", label: "Trust" },
  { id: "settings", label: "Settings" },
];

function View({ tab, search }: { tab: string; search: Resource<Search> }) {
  const value = search.value!;
  if (tab === "decisions") return <Decisions search={value} />;
  if (tab === "history") return <HistoryView search={value} />;
  if (tab === "trust") return <Trust search={value} />;
  if (tab === "settings") return <Settings search={value} reload={search.reload} />;
  return <Overview search={value} />;
}

export function SearchPage({ id }: { id: number }) {
  const search = useResource(`search/${id}`, (s) => api.search(id, s), {
    when: (c) => c.searches.has(id),
    everyMs: 500,
  });
  const tab = route.value.query.get("tab") ?? "ranking";
  const code = route.value.query.get("code");
  if (!search.value) return <Pending what="the search" error={search.error} reload={search.reload} />;
  return (
    <>
      <Head search={search.value} reload={search.reload} />
      {search.error && search.error.type !== "unreachable" && <Failure problem={search.error} />}
      <Tabs label="Views of the search" items={tabs} current={tab} onPick={(t) => setQuery({ tab: t === "ranking" ? null : t }, true)} />
      <div role="tabpanel" aria-labelledby={`tab-${tab}`}>
        <View tab={tab} search={search} />
      </div>
      {code && <CandidatePanel search={search.value} code={code} onClose={() => setQuery({ code: null })} />}
    </>
  );
}
