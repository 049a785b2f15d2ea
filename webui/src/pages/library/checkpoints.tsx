// checkpoints: supernet weights bound to a space, and one of them in full.
import { useState } from "preact/hooks";
import { api } from "../../api/client";
import { bytes, count, dateTime, si } from "../../format";
import { Button, Empty, Failure, Pending, Tile } from "../../parts/basics";
import { FilePick, Refused, RefusedElsewhere, Select, Text } from "../../parts/form";
import { type Column, VirtualTable } from "../../parts/virtual";
import type { Tensor } from "../../api/types";
import { go, goFrom, path } from "../../router";
import { maySubmit } from "../../state/session";
import { tell } from "../../state/toast";
import { startUpload } from "../../state/uploads";
import { useAction, useResource } from "../../state/use";

const fields = ["/name", "/blob", "/space", "/rename"];

function renames(text: string): Record<string, string> | undefined {
  const pairs = text.split(/\r?\n/).map((l) => l.trim().split(/\s*(?:->|=|\s)\s*/)).filter((p) => p.length === 2 && p[0]);
  return pairs.length ? Object.fromEntries(pairs) : undefined;
}

function AddCheckpoint() {
  const spaces = useResource("spaces", (s) => api.spaces(s), { when: (c) => c.kinds.has("space") });
  const [file, setFile] = useState<File>();
  const [name, setName] = useState("");
  const [space, setSpace] = useState("");
  const [rename, setRename] = useState("");
  const known = spaces.value ?? [];
  const chosen = space || String(known[known.length - 1]?.id ?? "");
  const add = useAction(async () => {
    const from = path.peek();
    const blob = await startUpload(file!).sha;
    const made = await api.createCheckpoint({ name: name.trim(), blob, space: Number(chosen), rename: renames(rename) });
    tell(`“${made.name}” holds ${count(made.tensors)} tensors that fit the space.`);
    goFrom(from, `/library/checkpoints/${made.id}`);
  });
  return (
    <Refused problem={add.error} fields={fields}>
      <form class="panel" onSubmit={(e) => (e.preventDefault(), void add.run())}>
        <h2>Add a checkpoint</h2>
        <div class="form-grid">
          <FilePick
            label="File"
            at="/blob"
            chosen={file ? `${file.name} (${bytes(file.size)})` : ""}
            hint=".safetensors, or a state dict that PyTorch wrote (.pth, .pt, .th). It goes on by itself after a cut."
            onPick={([f]) => {
              setFile(f);
              if (!name) setName(f.name.replace(/\.(safetensors|pth|pt|th|bin)$/, ""));
            }}
          />
          <Text label="Name" at="/name" value={name} onChange={setName} required />
          <Select
            label="Space"
            at="/space"
            value={chosen}
            onChange={setSpace}
            options={known.map((s) => ({ value: String(s.id), label: s.name }))}
            hint={spaces.value && !known.length ? <a href="/library/spaces">Add a space first.</a> : "whose parameter names it carries"}
          />
          <Text
            label="Rename (optional)"
            at="/rename"
            mono
            lines={3}
            value={rename}
            onChange={setRename}
            hint="where names differ: theirs -> ours, one on each line"
          />
        </div>
        <RefusedElsewhere what="The checkpoint was refused" />
        <div class="actions">
          <Button kind="primary" type="submit" busy={add.busy} disabled={!file || !name.trim() || !chosen}>
            {add.busy ? "Uploading and checking …" : "Upload and add"}
          </Button>
        </div>
      </form>
    </Refused>
  );
}

export function Checkpoints() {
  const list = useResource(
    "checkpoints",
    async (s) => {
      const [checkpoints, spaces] = await Promise.all([api.checkpoints(s), api.spaces(s)]);
      return { checkpoints, spaces };
    },
    { when: (c) => c.kinds.has("checkpoint") },
  );
  if (!list.value) return <Pending what="checkpoints" error={list.error} reload={list.reload} />;
  const { checkpoints, spaces } = list.value;
  return (
    <>
      {checkpoints.length === 0 ? (
        <Empty title="No checkpoint yet">
          <p>A checkpoint is one stored state of a supernet’s weights. Its tensor names must be those of a space.</p>
        </Empty>
      ) : (
        <div class="panel flush">
          <table class="list rows-link cards-narrow">
            <thead>
              <tr>
                <th scope="col">Checkpoint</th>
                <th scope="col">Space</th>
                <th scope="col">Format</th>
                <th scope="col" class="num">
                  Tensors
                </th>
                <th scope="col" class="num">
                  Parameters
                </th>
                <th scope="col" class="num">
                  Size
                </th>
                <th scope="col" class="num">
                  Added
                </th>
              </tr>
            </thead>
            <tbody>
              {checkpoints.map((c) => (
                <tr key={c.id} onClick={(e) => !(e.target as Element).closest("a") && go(`/library/checkpoints/${c.id}`)}>
                  <td class="name">
                    <a href={`/library/checkpoints/${c.id}`}>{c.name}</a>
                    <code class="muted sub" title={c.blob}>
                      {c.blob.slice(0, 12)}
                    </code>
                  </td>
                  <td data-label="Space">
                    <a href={`/library/spaces/${c.space}`}>{spaces.find((s) => s.id === c.space)?.name ?? c.space}</a>
                  </td>
                  <td data-label="Format">{c.format}</td>
                  <td data-label="Tensors" class="num">
                    {count(c.tensors)}
                  </td>
                  <td data-label="Parameters" class="num">
                    {si(c.params)}
                  </td>
                  <td data-label="Size" class="num">
                    {bytes(c.size)}
                  </td>
                  <td data-label="Added" class="num muted">
                    {dateTime(c.created)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {maySubmit.value && <AddCheckpoint />}
    </>
  );
}

const tensorColumns: Column<Tensor>[] = [
  { id: "name", head: "Tensor", name: "name", width: "minmax(220px, 3fr)", cell: (t) => <code class="ellipsis">{t.name}</code> },
  { id: "dtype", head: "Type", name: "element type", width: "90px", cell: (t) => t.dtype },
  { id: "shape", head: "Shape", name: "shape", width: "minmax(120px, 1fr)", numeric: true, cell: (t) => t.shape.join(" × ") || "scalar" },
  { id: "n", head: "Elements", name: "elements", width: "110px", numeric: true, cell: (t) => si(t.shape.reduce((a, b) => a * b, 1)) },
];

export function CheckpointPage({ id }: { id: number }) {
  const checkpoint = useResource(`checkpoint/${id}`, (s) => api.checkpoint(id, s));
  const space = useResource(checkpoint.value ? `space/${checkpoint.value.space}` : null, (s) => api.space(checkpoint.value!.space, s));
  const c = checkpoint.value;
  if (!c) return <Pending what="the checkpoint" error={checkpoint.error} reload={checkpoint.reload} />;
  const tensors = c.list ?? [];
  return (
    <>
      <div class="page-head">
        <div class="title">
          <p class="crumb">
            <a href="/library/checkpoints">Checkpoints</a>
          </p>
          <h1>{c.name}</h1>
          <p class="muted">
            for <a href={`/library/spaces/${c.space}`}>{space.value?.name ?? `space ${c.space}`}</a> · added {dateTime(c.created)}
          </p>
        </div>
      </div>
      {checkpoint.error && <Failure problem={checkpoint.error} />}
      <dl class="tiles">
        <Tile label="Parameters">{si(c.params)}</Tile>
        <Tile label="Tensors">{count(c.tensors)}</Tile>
        <Tile label="Size">{bytes(c.size)}</Tile>
        <Tile label="Format">{c.format}</Tile>
        <Tile label="SHA-256">
          <code class="ellipsis" title={c.blob}>
            {c.blob.slice(0, 16)}
          </code>
        </Tile>
      </dl>
      {c.unused && c.unused.length > 0 && (
        <section class="panel">
          <h2>Not used by the space</h2>
          <p class="muted">These tensors of the file belong to no architecture; they are ignored.</p>
          <p>
            {c.unused.map((u) => (
              <span class="tag">{u}</span>
            ))}
          </p>
        </section>
      )}
      {tensors.length > 0 && (
        <section class="panel flush">
          <div class="filters">
            <h2>Tensors</h2>
          </div>
          <VirtualTable label="tensors" columns={tensorColumns} total={tensors.length} row={(i) => tensors[i]} keyOf={(t) => t.name} rowHeight={30} />
        </section>
      )}
    </>
  );
}
