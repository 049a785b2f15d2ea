// spaces: the search spaces, and one of them in full.
import { useState } from "preact/hooks";
import { api, localProblem } from "../../api/client";
import type { Space } from "../../api/types";
import { Network, placesOf, placesOfSpace, placesTwin } from "../../charts/network";
import { architectures, count, dateTime, plural, si } from "../../format";
import { Button, CodeBlock, Empty, Failure, Pending, Tile } from "../../parts/basics";
import { FilePick, Refused, RefusedElsewhere, Text } from "../../parts/form";
import { Figure } from "../../parts/figure";
import { go, route, setQuery } from "../../router";
import { maySubmit } from "../../state/session";
import { tell } from "../../state/toast";
import { useAction, useResource } from "../../state/use";

export function costRange(range: { min?: number; max?: number } | undefined): string {
  if (!range || range.min == null) return "–";
  return range.min === range.max ? si(range.min) : `${si(range.min)} to ${si(range.max)}`;
}

const fields = ["/name", "/document"];

function AddSpace() {
  const [name, setName] = useState("");
  const [text, setText] = useState("");
  const [file, setFile] = useState("");
  const add = useAction(async () => {
    let document: unknown;
    try {
      document = JSON.parse(text);
    } catch (e) {
      throw localProblem("invalid", `The document is not JSON: ${(e as Error).message}`);
    }
    const made = await api.createSpace(name.trim(), document);
    tell(`“${made.name}” has ${architectures(made.architectures)} architectures.`);
    go(`/library/spaces/${made.id}`);
  });
  const pick = async ([f]: File[]) => {
    setText(await f.text());
    setFile(f.name);
    setName((typed) => typed || f.name.replace(/\.json$/, "")); // typed while the file was read
  };
  return (
    <Refused problem={add.error} fields={fields}>
      <form class="panel" onSubmit={(e) => (e.preventDefault(), void add.run())}>
        <h2>Add a space</h2>
        <div class="form-grid">
          <FilePick label="Document from a file" accept=".json,application/json" chosen={file} onPick={(f) => void pick(f)} />
          <Text label="Name" at="/name" value={name} onChange={setName} required />
          <Text
            label="Document"
            at="/document"
            wide
            mono
            lines={10}
            value={text}
            onChange={setText}
            hint="JSON that names the decisions and the network they shape"
          />
        </div>
        <RefusedElsewhere what="The space was refused" />
        <div class="actions">
          <Button kind="primary" type="submit" busy={add.busy} disabled={!name.trim() || !text.trim()}>
            Add the space
          </Button>
        </div>
      </form>
    </Refused>
  );
}

export function Spaces() {
  const spaces = useResource("spaces", (s) => api.spaces(s), { when: (c) => c.kinds.has("space") });
  if (!spaces.value) return <Pending what="spaces" error={spaces.error} reload={spaces.reload} />;
  return (
    <>
      {spaces.value.length === 0 ? (
        <Empty title="No search space yet">
          <p>A space document says which decisions an architecture consists of. Ready-made ones lie in the repository under proto/spaces.</p>
        </Empty>
      ) : (
        <div class="panel flush">
          <table class="list rows-link cards-narrow">
            <thead>
              <tr>
                <th scope="col">Space</th>
                <th scope="col" class="num">
                  Architectures
                </th>
                <th scope="col" class="num">
                  Decisions
                </th>
                <th scope="col" class="num">
                  MACs
                </th>
                <th scope="col" class="num">
                  Parameters
                </th>
                <th scope="col" class="num">
                  Added
                </th>
              </tr>
            </thead>
            <tbody>
              {spaces.value.map((s) => (
                <tr key={s.id} onClick={(e) => !(e.target as Element).closest("a") && go(`/library/spaces/${s.id}`)}>
                  <td class="name">
                    <a href={`/library/spaces/${s.id}`}>{s.name}</a>
                  </td>
                  <td data-label="Architectures" class="num" title={s.architectures}>
                    {architectures(s.architectures)}
                  </td>
                  <td data-label="Decisions" class="num">
                    {s.decisions.length}
                  </td>
                  <td data-label="MACs" class="num">
                    {costRange(s.cost?.macs)}
                  </td>
                  <td data-label="Parameters" class="num">
                    {costRange(s.cost?.params)}
                  </td>
                  <td data-label="Added" class="num muted">
                    {dateTime(s.created)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {maySubmit.value && <AddSpace />}
    </>
  );
}

function Decisions({ space }: { space: Space }) {
  if (!space.decisions.length) return <p class="note">No decision: the space holds a single network.</p>;
  return (
    <table class="list cards-narrow">
      <thead>
        <tr>
          <th scope="col">Decision</th>
          <th scope="col">Options</th>
        </tr>
      </thead>
      <tbody>
        {space.decisions.map((d) => (
          <tr>
            <td class="name">
              <code>{d.name}</code>
            </td>
            <td>
              {d.options.map((o) => (
                <span class="tag">{typeof o === "object" ? JSON.stringify(o) : String(o)}</span>
              ))}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

// Drawn with every option; with a code, with what it chooses.
function Drawing({ space }: { space: Space }) {
  const code = route.value.query.get("code") ?? "";
  const [text, setText] = useState(code);
  const plan = useResource(code ? `plan/${space.id}/${code}` : null, () => api.plan(space.id, code));
  const searches = useResource("searches", (s) => api.searches(s));
  const best = (searches.value ?? []).filter((s) => s.space === space.id && s.best).slice(0, 3);
  const pick = (next: string) => (setText(next), setQuery({ code: next.trim() }));
  const places = code && plan.value ? placesOf(space, plan.value) : placesOfSpace(space);
  return (
    <Figure
      title={code ? "One architecture of the space" : "The space as a network"}
      name={`space-${space.id}${code ? "-architecture" : ""}`}
      about={
        plan.value && code
          ? `${si(plan.value.macs)} MACs, ${si(plan.value.params)} parameters. Faint places are not reached under this code.`
          : "From the input at the top to the output: every place with its options, and the shape that leaves it and the cost in the largest architecture."
      }
      controls={
        <form class="compare-form" onSubmit={(e) => (e.preventDefault(), pick(text))}>
          <input type="text" class="mono" placeholder="Code" aria-label="Code of an architecture to draw" value={text} onInput={(e) => setText(e.currentTarget.value)} />
          <Button small type="submit" disabled={!text.trim()}>
            Draw
          </Button>
          {code && (
            <Button small kind="quiet" onClick={() => pick("")}>
              Whole space
            </Button>
          )}
        </form>
      }
      twin={() => placesTwin(places)}
    >
      {best.length > 0 && (
        <p class="picks">
          {best.map((s) => (
            <Button small kind="quiet" onClick={() => pick(s.best!.code)}>
              Best of “{s.name}”
            </Button>
          ))}
        </p>
      )}
      {plan.error && <Failure problem={plan.error} what="This code was refused" />}
      <Network places={places} open={!(code && plan.value)} />
    </Figure>
  );
}

export function SpacePage({ id }: { id: number }) {
  const space = useResource(`space/${id}`, (s) => api.space(id, s));
  const v = space.value;
  if (!v) return <Pending what="the space" error={space.error} reload={space.reload} />;
  return (
    <>
      <div class="page-head">
        <div class="title">
          <p class="crumb">
            <a href="/library/spaces">Spaces</a>
          </p>
          <h1>{v.name}</h1>
        </div>
      </div>
      {space.error && <Failure problem={space.error} />}
      <dl class="tiles">
        <Tile label="Architectures" sub={v.architectures.length > 15 ? `${v.architectures.length} digits` : undefined}>
          <span title={v.architectures}>{architectures(v.architectures)}</span>
        </Tile>
        <Tile label="Decisions">{count(v.decisions.length)}</Tile>
        <Tile label="MACs">{costRange(v.cost?.macs)}</Tile>
        <Tile label="Parameters">{costRange(v.cost?.params)}</Tile>
        {v.input && <Tile label="Input">{v.input.join(" × ")}</Tile>}
        {v.classes ? <Tile label="Output">{plural(v.classes, "class", "classes")}</Tile> : null}
      </dl>
      <Drawing space={v} />
      <section class="panel">
        <h2>Decisions</h2>
        <Decisions space={v} />
      </section>
      <section class="panel">
        <h2>Document</h2>
        <CodeBlock label={`${v.name}.json`} text={JSON.stringify(v.document, null, 2) ?? ""} />
      </section>
    </>
  );
}
