// picture: a chart on the page as a file. A drawn chart (SVG) takes its computed colours with it, so that it looks the
// same outside the page; a plotted one (canvas) is copied onto the page's surface, and as SVG is that picture framed.
import { saveBlob } from "../api/client";

const kept = ["fill", "fill-opacity", "stroke", "stroke-opacity", "stroke-width", "stroke-dasharray", "stroke-linejoin", "opacity", "font-family", "font-size", "font-weight", "text-anchor", "display"];

interface Drawn {
  text: string;
  width: number;
  height: number;
}

function surface(frame: HTMLElement): string {
  const own = getComputedStyle(frame.closest(".panel") ?? frame).backgroundColor;
  return own && own !== "rgba(0, 0, 0, 0)" ? own : "#ffffff";
}

function drawn(source: SVGSVGElement, ground: string): Drawn {
  const copy = source.cloneNode(true) as SVGSVGElement;
  const from = [source, ...source.querySelectorAll("*")];
  const to = [copy, ...copy.querySelectorAll("*")];
  from.forEach((element, i) => {
    const style = getComputedStyle(element);
    for (const name of kept) to[i].setAttribute(name, style.getPropertyValue(name));
    to[i].removeAttribute("class");
    to[i].removeAttribute("tabindex");
  });
  const width = Number(source.getAttribute("width"));
  const height = Number(source.getAttribute("height"));
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const back = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [k, v] of Object.entries({ width: "100%", height: "100%", fill: ground })) back.setAttribute(k, v);
  copy.prepend(back);
  return { text: new XMLSerializer().serializeToString(copy), width, height };
}

function plotted(canvas: HTMLCanvasElement, ground: string): HTMLCanvasElement {
  const copy = document.createElement("canvas");
  copy.width = canvas.width;
  copy.height = canvas.height;
  const ctx = copy.getContext("2d")!;
  ctx.fillStyle = ground;
  ctx.fillRect(0, 0, copy.width, copy.height);
  ctx.drawImage(canvas, 0, 0);
  return copy;
}

function raster(d: Drawn): Promise<HTMLCanvasElement> {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => {
      const canvas = document.createElement("canvas");
      canvas.width = 2 * d.width;
      canvas.height = 2 * d.height;
      canvas.getContext("2d")!.drawImage(image, 0, 0, canvas.width, canvas.height);
      resolve(canvas);
    };
    image.onerror = () => reject(new Error("the browser cannot draw this picture"));
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(d.text)}`;
  });
}

export async function savePicture(frame: HTMLElement, kind: "png" | "svg", name: string): Promise<void> {
  const svg = frame.querySelector<SVGSVGElement>("svg.drawn");
  const canvas = frame.querySelector("canvas");
  const ground = surface(frame);
  if (kind === "svg") {
    const picture = canvas && !svg ? plotted(canvas, ground) : null;
    const text = svg
      ? drawn(svg, ground).text
      : picture &&
        `<svg xmlns="http://www.w3.org/2000/svg" width="${picture.width}" height="${picture.height}"><image width="100%" height="100%" href="${picture.toDataURL()}"/></svg>`;
    if (text) saveBlob(new Blob([text], { type: "image/svg+xml" }), `${name}.svg`);
    return;
  }
  const picture = svg ? await raster(drawn(svg, ground)) : canvas && plotted(canvas, ground);
  picture?.toBlob((blob) => blob && saveBlob(blob, `${name}.png`));
}
