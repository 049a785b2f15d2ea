// markdown: notes as people write them: headings, lists, quotes, code, emphasis and links. It builds elements, never HTML text, so
// nothing a note holds can become markup or script; a link goes to http, https or a page of this site only.
import type { ComponentChildren, VNode } from "preact";

const inline = /(`[^`]+`)|\*\*([^*]+)\*\*|\*([^*]+)\*|\[([^\]]+)\]\(([^)\s]+)\)|(https?:\/\/[^\s<>)]+)/;

function safe(url: string): boolean {
  return /^https?:\/\//i.test(url) || /^\/(?!\/)/.test(url);
}

function Link({ to, children }: { to: string; children: ComponentChildren }) {
  if (!safe(to)) return <>{children}</>;
  return to.startsWith("/") ? (
    <a href={to}>{children}</a>
  ) : (
    <a href={to} target="_blank" rel="noopener noreferrer">
      {children}
    </a>
  );
}

function spans(text: string): ComponentChildren[] {
  const out: ComponentChildren[] = [];
  for (let rest = text; rest; ) {
    const m = inline.exec(rest);
    if (!m) {
      out.push(rest);
      break;
    }
    if (m.index) out.push(rest.slice(0, m.index));
    if (m[1]) out.push(<code>{m[1].slice(1, -1)}</code>);
    else if (m[2]) out.push(<strong>{spans(m[2])}</strong>);
    else if (m[3]) out.push(<em>{spans(m[3])}</em>);
    else if (m[4]) out.push(<Link to={m[5]}>{spans(m[4])}</Link>);
    else out.push(<Link to={m[6]}>{m[6]}</Link>);
    rest = rest.slice(m.index + m[0].length);
  }
  return out;
}

function take(lines: string[], at: number, is: (line: string) => boolean): number {
  let end = at;
  while (end < lines.length && is(lines[end])) end++;
  return end;
}

export function Markdown({ text }: { text: string }) {
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  const blocks: VNode[] = [];
  for (let i = 0; i < lines.length; ) {
    const line = lines[i];
    const heading = /^(#{1,4})\s+(.*)$/.exec(line);
    if (!line.trim()) i++;
    else if (line.startsWith("```")) {
      const end = take(lines, i + 1, (l) => !l.startsWith("```"));
      blocks.push(<pre>{lines.slice(i + 1, end).join("\n")}</pre>);
      i = end + 1;
    } else if (heading) {
      blocks.push(heading[1].length < 3 ? <h3>{spans(heading[2])}</h3> : <h4>{spans(heading[2])}</h4>);
      i++;
    } else if (/^\s*[-*]\s+/.test(line) || /^\s*\d+[.)]\s+/.test(line)) {
      const mark = /^\s*\d/.test(line) ? /^\s*\d+[.)]\s+/ : /^\s*[-*]\s+/;
      const end = take(lines, i, (l) => mark.test(l));
      const items = lines.slice(i, end).map((l) => <li>{spans(l.replace(mark, ""))}</li>);
      blocks.push(/^\s*\d/.test(line) ? <ol>{items}</ol> : <ul>{items}</ul>);
      i = end;
    } else if (line.startsWith(">")) {
      const end = take(lines, i, (l) => l.startsWith(">"));
      blocks.push(<blockquote>{spans(lines.slice(i, end).map((l) => l.replace(/^>\s?/, "")).join(" "))}</blockquote>);
      i = end;
    } else {
      const end = Math.max(i + 1, take(lines, i, (l) => Boolean(l.trim()) && !/^(#{1,4}\s|```|>|\s*[-*]\s|\s*\d+[.)]\s)/.test(l)));
      blocks.push(<p>{spans(lines.slice(i, end).join(" "))}</p>);
      i = end;
    }
  }
  return <div class="markdown">{blocks}</div>;
}
