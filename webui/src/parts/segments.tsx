// segments: one of a few words, side by side.
export function Segments<V extends string>(props: { label: string; value: V; options: [V, string][]; onPick: (v: V) => void }) {
  return (
    <div class="segments small" role="group" aria-label={props.label}>
      {props.options.map(([value, label]) => (
        <button type="button" aria-pressed={value === props.value} onClick={() => props.onPick(value)}>
          {label}
        </button>
      ))}
    </div>
  );
}
