// datasets: images and labels, and one data set in full.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { api, localProblem } from "../../api/client";
import type { Dataset, DatasetCreate, Sample } from "../../api/types";
import { bytes, count, dateTime } from "../../format";
import { Bar, Button, CodeBlock, Empty, Failure, Loading, Pending, Tile } from "../../parts/basics";
import { Cards, FilePick, Refused, RefusedElsewhere, Select, Text } from "../../parts/form";
import { Segments } from "../../parts/segments";
import { go, goFrom, path, route, setQuery } from "../../router";
import { maySubmit } from "../../state/session";
import { tell } from "../../state/toast";
import { startUpload } from "../../state/uploads";
import { useAction, useResource } from "../../state/use";

type Format = DatasetCreate["format"];
interface Split {
  images: number;
  class_counts?: number[];
}

const formats: { value: Format; label: string; about: string }[] = [
  { value: "cifar", label: "CIFAR binary", about: "A label byte, then 3072 pixels, for each image" },
  { value: "idx", label: "IDX", about: "An images file and a labels file, as MNIST; may be gzip" },
  { value: "tar", label: "Folders in a tar", about: "One folder of JPEG or PNG for each class; tar or tar.xz" },
  { value: "safetensors", label: "safetensors", about: "Tensors “images” (N,C,H,W) and “labels”" },
];

interface SplitForm {
  name: string;
  files: File[];
  labels: File[];
}

function numbers(text: string, what: string): number[] | undefined {
  const parts = text.split(/[\s,]+/).filter(Boolean);
  if (!parts.length) return undefined;
  const values = parts.map(Number);
  if (values.some((v) => !Number.isFinite(v))) throw localProblem("invalid", `${what} must be numbers separated by commas.`);
  return values;
}

function transformOf(text: string): { op: string; size: number }[] | undefined {
  const steps = text
    .split(/[\n,]+/)
    .map((s) => s.trim())
    .filter(Boolean)
    .map((s) => {
      const [op, size] = s.split(/\s+/);
      return { op, size: Number(size) };
    });
  return steps.length ? steps : undefined;
}

const fields = ["/name", "/format", "/splits", "/classes", "/channel_order", "/scale", "/mean", "/std", "/transform"];

function SplitFields({ split, format, onChange, onRemove }: { split: SplitForm; format: Format; onChange: (s: SplitForm) => void; onRemove?: () => void }) {
  const words = (files: File[]) => (files.length ? `${files.map((f) => f.name).join(", ")} (${bytes(files.reduce((t, f) => t + f.size, 0))})` : "");
  return (
    <fieldset class="split">
      <legend>Split “{split.name || "…"}”</legend>
      <div class="form-grid three">
        <Text label="Split name" value={split.name} onChange={(name) => onChange({ ...split, name })} required />
        <FilePick
          label={format === "idx" ? "Images" : "Files"}
          multiple
          chosen={words(split.files)}
          onPick={(files) => onChange({ ...split, files })}
        />
        {format === "idx" && <FilePick label="Labels" multiple chosen={words(split.labels)} onPick={(labels) => onChange({ ...split, labels })} />}
      </div>
      {onRemove && (
        <Button small kind="quiet" onClick={onRemove}>
          Remove this split
        </Button>
      )}
    </fieldset>
  );
}

async function send(splits: SplitForm[], format: Format): Promise<DatasetCreate["splits"]> {
  const result: Record<string, { blob: string; labels?: string }[]> = {};
  for (const split of splits) {
    const parts = [];
    for (let i = 0; i < split.files.length; i++) {
      const blob = await startUpload(split.files[i]).sha;
      const labels = format === "idx" && split.labels[i] ? await startUpload(split.labels[i]).sha : undefined;
      parts.push(labels ? { blob, labels } : { blob });
    }
    result[split.name.trim()] = parts;
  }
  return result;
}

function AddDataset() {
  const [name, setName] = useState("");
  const [format, setFormat] = useState<Format>("cifar");
  const [splits, setSplits] = useState<SplitForm[]>([
    { name: "train", files: [], labels: [] },
    { name: "val", files: [], labels: [] },
  ]);
  const [classes, setClasses] = useState("");
  const [order, setOrder] = useState<"rgb" | "bgr">("rgb");
  const [scale, setScale] = useState("255");
  const [mean, setMean] = useState("");
  const [std, setStd] = useState("");
  const [transform, setTransform] = useState("");
  const used = splits.filter((s) => s.files.length > 0);
  const add = useAction(async () => {
    const from = path.peek();
    const settings: Partial<DatasetCreate> = {
      mean: numbers(mean, "The mean"),
      std: numbers(std, "The standard deviation"),
      transform: transformOf(transform),
    };
    const names = classes.split(/[\n,]+/).map((c) => c.trim()).filter(Boolean);
    const made = await api.createDataset({
      name: name.trim(),
      format,
      splits: await send(used, format),
      ...(names.length && { classes: names }),
      channel_order: order,
      ...(scale.trim() && { scale: Number(scale) }),
      ...(settings as object),
    });
    tell(`“${made.name}” is stored and checked.`);
    goFrom(from, `/library/datasets/${made.id}`);
  });
  const change = (i: number, s: SplitForm) => setSplits((all) => all.map((old, j) => (j === i ? s : old)));
  return (
    <Refused problem={add.error} fields={fields}>
      <form class="panel" onSubmit={(e) => (e.preventDefault(), void add.run())}>
        <h2>Add a data set</h2>
        <div class="form-grid">
          <Text label="Name" at="/name" wide value={name} onChange={setName} required />
        </div>
        <Cards legend="Format" value={format} options={formats} onChange={setFormat} />
        {splits.map((s, i) => (
          <SplitFields
            key={i}
            split={s}
            format={format}
            onChange={(v) => change(i, v)}
            onRemove={splits.length > 1 ? () => setSplits(splits.filter((_, j) => j !== i)) : undefined}
          />
        ))}
        <Button small onClick={() => setSplits([...splits, { name: "test", files: [], labels: [] }])}>
          Add a split
        </Button>
        <details>
          <summary>Classes, normalisation and transform</summary>
          <div class="form-grid three">
            <Text label="Mean" at="/mean" value={mean} onChange={setMean} placeholder="0.4914, 0.4822, 0.4465" hint="of each channel, after scaling" />
            <Text label="Standard deviation" at="/std" value={std} onChange={setStd} placeholder="0.2470, 0.2435, 0.2616" />
            <Text label="Scale" at="/scale" value={scale} onChange={setScale} inputMode="decimal" hint="pixels are divided by it" />
            <Select
              label="Channel order"
              at="/channel_order"
              value={order}
              options={[
                { value: "rgb", label: "RGB" },
                { value: "bgr", label: "BGR" },
              ]}
              onChange={setOrder}
            />
            <Text label="Transform" at="/transform" value={transform} onChange={setTransform} placeholder="resize 256, center_crop 224" hint="steps in order: resize, center_crop or pad, and a size" />
            <Text label="Class names" at="/classes" value={classes} onChange={setClasses} hint="separated by commas, in the order of the labels" />
          </div>
        </details>
        <RefusedElsewhere what="The data set was refused" />
        <div class="actions">
          <Button kind="primary" type="submit" busy={add.busy} disabled={!name.trim() || !used.length}>
            {add.busy ? "Uploading and checking …" : "Upload and add"}
          </Button>
        </div>
      </form>
    </Refused>
  );
}

function splitsOf(d: Dataset): [string, Split][] {
  return Object.entries(d.splits as Record<string, Split>);
}

export function Datasets() {
  const datasets = useResource("datasets", (s) => api.datasets(s), { when: (c) => c.kinds.has("dataset") });
  if (!datasets.value) return <Pending what="data sets" error={datasets.error} reload={datasets.reload} />;
  return (
    <>
      {datasets.value.length === 0 ? (
        <Empty title="No data set yet">
          <p>Searches calibrate on one split of a data set and score on another.</p>
        </Empty>
      ) : (
        <div class="panel flush">
          <table class="list rows-link cards-narrow">
            <thead>
              <tr>
                <th scope="col">Data set</th>
                <th scope="col">Format</th>
                <th scope="col">Splits</th>
                <th scope="col" class="num">
                  Classes
                </th>
                <th scope="col" class="num">
                  Image
                </th>
                <th scope="col" class="num">
                  Added
                </th>
              </tr>
            </thead>
            <tbody>
              {datasets.value.map((d) => (
                <tr key={d.id} onClick={(e) => !(e.target as Element).closest("a") && go(`/library/datasets/${d.id}`)}>
                  <td class="name">
                    <a href={`/library/datasets/${d.id}`}>{d.name}</a>
                  </td>
                  <td data-label="Format">{d.format}</td>
                  <td data-label="Splits">
                    {splitsOf(d).map(([name, s]) => (
                      <span class="tag">
                        {name} {count(s.images)}
                      </span>
                    ))}
                  </td>
                  <td data-label="Classes" class="num">
                    {d.classes.length}
                  </td>
                  <td data-label="Image" class="num">
                    {d.image.join(" × ")}
                  </td>
                  <td data-label="Added" class="num muted">
                    {dateTime(d.created)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {maySubmit.value && <AddDataset />}
    </>
  );
}

const FEW = 30;

function ClassCounts({ name, split, classes }: { name: string; split: Split; classes: string[] }) {
  const counts = split.class_counts ?? [];
  const most = Math.max(1, ...counts);
  return (
    <section class="panel">
      <h2>
        {name} <span class="muted">{count(split.images)} images</span>
      </h2>
      <div class="class-counts">
        {counts.slice(0, FEW).map((n, i) => (
          <div>
            <span class="ellipsis">{classes[i] ?? i}</span>
            <Bar value={n} of={most} label={`${classes[i] ?? i}: ${n} images`} />
            <span class="num muted">{count(n)}</span>
          </div>
        ))}
      </div>
      {counts.length > FEW && <p class="note">and {counts.length - FEW} more classes</p>}
    </section>
  );
}

function bytesOf(base64: string): Uint8Array {
  const text = atob(base64);
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

// One picture: channels are planes of bytes; one channel is grey, three are shown as red, green and blue.
function Picture({ sample, image, name, bgr }: { sample: Sample; image: number[]; name: string; bgr: boolean }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [c, h, w] = image;
  // Before the browser paints: an empty canvas is never seen.
  useLayoutEffect(() => {
    const ctx = canvas.current!.getContext("2d")!;
    const out = ctx.createImageData(w, h);
    const from = bytesOf(sample.pixels);
    const plane = w * h;
    for (let i = 0; i < plane; i++) {
      for (let k = 0; k < 3; k++) out.data[4 * i + k] = from[(c < 3 ? 0 : bgr ? 2 - k : k) * plane + i];
      out.data[4 * i + 3] = 255;
    }
    ctx.putImageData(out, 0, 0);
  }, [sample, image.join()]);
  return (
    <figure>
      <canvas ref={canvas} width={w} height={h} role="img" aria-label={`Image ${sample.index}: ${name}`} />
      <figcaption class="ellipsis" title={name}>
        {sample.index} · {name}
      </figcaption>
    </figure>
  );
}

const PAGE = 12;

function SamplesPanel({ dataset: d }: { dataset: Dataset }) {
  const { query } = route.value;
  const names = splitsOf(d).map(([name]) => name);
  const split = names.find((n) => n === query.get("split")) ?? names[0];
  const first = Math.max(0, Number(query.get("first")) || 0);
  const some = useResource(split ? `samples/${d.id}/${split}/${first}` : null, (s) => api.samples(d.id, split, first, s));
  const v = some.value;
  const steps = ((d.document as { transform?: { op: string; size: number }[] })?.transform ?? []).map((t) => `${t.op} ${t.size}`);
  const bgr = (d.document as { channel_order?: string })?.channel_order === "bgr";
  return (
    <section class="panel" aria-labelledby="samples-title">
      <div class="filters">
        <h2 id="samples-title">What the network sees</h2>
        <span class="grow" />
        <Segments label="Split" value={split} options={names.map((n) => [n, n])} onPick={(n) => setQuery({ split: n === names[0] ? null : n, first: null })} />
        <Button small disabled={first === 0} onClick={() => setQuery({ first: Math.max(0, first - PAGE) || null })}>
          Earlier
        </Button>
        <Button small disabled={!v || first + PAGE >= v.total} onClick={() => setQuery({ first: first + PAGE })}>
          Later
        </Button>
      </div>
      {v ? (
        <div class="samples">
          {v.items.map((x) => (
            <Picture key={x.index} sample={x} image={v.image} name={d.classes[x.label] ?? String(x.label)} bgr={bgr} />
          ))}
        </div>
      ) : some.error ? (
        <Failure problem={some.error} retry={some.reload} what="The images" />
      ) : (
        <Loading what="images" />
      )}
      <p class="note">
        After the transform ({steps.length ? steps.join(", ") : "none"}), with the normalisation taken back{bgr ? "; the network reads blue first" : ""}. {v ? `${count(v.total)} images in ${split}.` : ""}
      </p>
    </section>
  );
}

export function DatasetPage({ id }: { id: number }) {
  const dataset = useResource(`dataset/${id}`, (s) => api.dataset(id, s));
  const d = dataset.value;
  if (!d) return <Pending what="the data set" error={dataset.error} reload={dataset.reload} />;
  return (
    <>
      <div class="page-head">
        <div class="title">
          <p class="crumb">
            <a href="/library/datasets">Data sets</a>
          </p>
          <h1>{d.name}</h1>
          <p class="muted">added {dateTime(d.created)}</p>
        </div>
      </div>
      {dataset.error && <Failure problem={dataset.error} />}
      <dl class="tiles">
        <Tile label="Images">{count(splitsOf(d).reduce((t, [, s]) => t + s.images, 0))}</Tile>
        <Tile label="Classes">{d.classes.length}</Tile>
        <Tile label="Image" sub="channels × height × width">
          {d.image.join(" × ")}
        </Tile>
        <Tile label="Format">{d.format}</Tile>
      </dl>
      <div class="charts">
        {splitsOf(d).map(([name, split]) => (
          <ClassCounts key={name} name={name} split={split} classes={d.classes} />
        ))}
      </div>
      <SamplesPanel dataset={d} />
      {d.document && (
        <section class="panel">
          <h2>Record</h2>
          <CodeBlock label="As stored and as sent to workers" text={JSON.stringify(d.document, null, 2)} />
        </section>
      )}
    </>
  );
}
