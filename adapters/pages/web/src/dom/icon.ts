/** Line drawings of 24 × 24, in the colour of the text around them. They say nothing to a screen reader. */

const SVG = "http://www.w3.org/2000/svg";

/** A drawing of one path; none where there is no path. */
export function icon(path: string | undefined): SVGElement | null {
  if (path === undefined) return null;
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("viewBox", "0 0 24 24");
  drawing.setAttribute("class", "icon");
  drawing.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  drawing.append(line);
  return drawing;
}
