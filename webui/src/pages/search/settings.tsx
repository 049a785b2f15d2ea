// settings: what was asked for, so that it can be read and repeated; name, priority, tags and notes can be changed.
import { useState } from "preact/hooks";
import { api } from "../../api/client";
import type { Search, SearchPatch } from "../../api/types";
import { si } from "../../format";
import { Button, CodeBlock, Failure } from "../../parts/basics";
import { Refused, Text } from "../../parts/form";
import { Markdown } from "../../parts/markdown";
import { maySubmit } from "../../state/session";
import { tell } from "../../state/toast";
import { useAction, useResource } from "../../state/use";
import { curlOf } from "../new_search/curl";

function words(value: unknown): string {
  if (value === null || value === undefined) return "–";
  if (Array.isArray(value)) return value.length > 4 ? `${value.length} values` : value.map(words).join(", ");
  if (typeof value === "object") {
    return Object.entries(value)
      .map(([k, v]) => `${k} ${words(v)}`)
      .join(", ");
  }
  return typeof value === "boolean" ? (value ? "yes" : "no") : String(value);
}

function Section({ title, of }: { title: string; of: Record<string, unknown> | undefined }) {
  const entries = Object.entries(of ?? {});
  return (
    <div>
      <h3>{title}</h3>
      {entries.length ? (
        <dl class="facts">
          {entries.map(([name, value]) => (
            <>
              <dt>{name.replace(/_/g, " ")}</dt>
              <dd>{words(value)}</dd>
            </>
          ))}
        </dl>
      ) : (
        <p class="muted">none</p>
      )}
    </div>
  );
}

function limits(range: { min?: number; max?: number } | undefined): string | undefined {
  if (!range || (range.min == null && range.max == null)) return undefined;
  return [range.min != null ? `at least ${si(range.min)}` : "", range.max != null ? `at most ${si(range.max)}` : ""].filter(Boolean).join(", ");
}

const patchFields = ["/name", "/priority", "/tags", "/notes"];

function Edit({ search, reload }: { search: Search; reload: () => void }) {
  const [name, setName] = useState(search.name);
  const [priority, setPriority] = useState(String(search.priority ?? 1));
  const [tags, setTags] = useState((search.tags ?? []).join(", "));
  const [notes, setNotes] = useState(search.notes ?? "");
  const save = useAction(async () => {
    const patch: SearchPatch = {
      name: name.trim(),
      priority: Number(priority),
      tags: tags.split(",").map((t) => t.trim()).filter(Boolean),
      notes,
    };
    await api.patchSearch(search.id, patch);
    tell("Saved.");
    reload();
  });
  return (
    <Refused problem={save.error} fields={patchFields}>
      <form class="form-grid" onSubmit={(e) => (e.preventDefault(), void save.run())}>
        <Text label="Name" at="/name" value={name} onChange={setName} required />
        <Text label="Priority" at="/priority" value={priority} onChange={setPriority} inputMode="numeric" hint="1 to 100; higher gets workers first" />
        <Text label="Tags" at="/tags" value={tags} onChange={setTags} hint="separated by commas" />
        <Text label="Notes" hint="Markdown: headings, lists, links, emphasis, code" at="/notes" value={notes} onChange={setNotes} lines={4} wide />
        {save.error && !save.error.where && <Failure problem={save.error} />}
        <div class="actions wide">
          <Button type="submit" busy={save.busy}>
            Save
          </Button>
        </div>
      </form>
    </Refused>
  );
}

export function Settings({ search, reload }: { search: Search; reload: () => void }) {
  const names = useResource(`names/${search.id}`, async (s) => {
    const [space, checkpoint, dataset] = await Promise.all([
      api.space(search.space, s),
      api.checkpoint(search.checkpoint, s),
      api.dataset(search.dataset, s),
    ]);
    return { space, checkpoint, dataset };
  });
  const n = names.value;
  const { strategy, constraints, policy, evaluation } = search;
  const body = { name: search.name, checkpoint: search.checkpoint, dataset: search.dataset, strategy, constraints, policy, evaluation, seed: search.seed };
  return (
    <>
      <section class="panel">
        <h2>What was asked</h2>
        <div class="settings">
          <div>
            <h3>Inputs</h3>
            <dl class="facts">
              <dt>Space</dt>
              <dd>
                <a href={`/library/spaces/${search.space}`}>{n?.space.name ?? search.space}</a>
              </dd>
              <dt>Checkpoint</dt>
              <dd>
                <a href={`/library/checkpoints/${search.checkpoint}`}>{n?.checkpoint.name ?? search.checkpoint}</a>
              </dd>
              <dt>Data set</dt>
              <dd>
                <a href={`/library/datasets/${search.dataset}`}>{n?.dataset.name ?? search.dataset}</a>
              </dd>
              <dt>Seed</dt>
              <dd>{search.seed ?? 0}</dd>
              <dt>MACs</dt>
              <dd>{limits(constraints?.macs) ?? "no limit"}</dd>
              <dt>Parameters</dt>
              <dd>{limits(constraints?.params) ?? "no limit"}</dd>
            </dl>
          </div>
          <Section title="Strategy" of={strategy} />
          <Section title="Calibration policy" of={policy} />
          <Section title="Evaluation" of={evaluation as Record<string, unknown> | undefined} />
        </div>
        <CodeBlock label="The same search by curl" text={curlOf(body)} />
      </section>
      {search.notes && (
        <section class="panel" aria-labelledby="notes-title">
          <h2 id="notes-title">Notes</h2>
          <Markdown text={search.notes} />
        </section>
      )}
      {maySubmit.value && (
        <section class="panel">
          <h2>Change name, priority, tags or notes</h2>
          <Edit search={search} reload={reload} />
        </section>
      )}
    </>
  );
}
