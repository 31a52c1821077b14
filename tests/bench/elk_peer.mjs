// elkjs on the graphs of `tests.bench.draw_peers`: JSON on stdin and stdout. ELKJS is where the package is.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const ELK = createRequire(import.meta.url)(process.env.ELKJS + "/lib/elk.bundled.js");
const elk = new ELK();
const ROUNDS = 5;

const placed = (member) =>
  member.members === undefined
    ? { id: member.id, width: member.width, height: member.height }
    : {
        id: member.id,
        children: member.members.map(placed),
        layoutOptions: { "elk.padding": `[top=${member.title_height + 16},left=12,bottom=12,right=12]` },
      };

const graph = ({ direction, members, links }) => ({
  id: "root",
  layoutOptions: {
    "elk.algorithm": "layered",
    "elk.direction": direction === "down" ? "DOWN" : "RIGHT",
    "elk.hierarchyHandling": "INCLUDE_CHILDREN",
    "elk.layered.cycleBreaking.strategy": "DEPTH_FIRST",
    "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
    "elk.json.edgeCoords": "ROOT",
    "elk.json.shapeCoords": "ROOT",
  },
  children: members.map(placed),
  edges: links.map((link, at) => ({
    id: `link ${at}`,
    sources: [link.source],
    targets: [link.target],
    labels: link.label_width ? [{ id: `label ${at}`, text: "x", width: link.label_width, height: link.label_height }] : [],
  })),
});

const found = [];
for (const each of JSON.parse(readFileSync(0, "utf8"))) {
  let laid = await elk.layout(graph(each));
  const taken = [];
  for (let round = 0; round < ROUNDS; round++) {
    const begun = process.cpuUsage();
    laid = await elk.layout(graph(each));
    const { user, system } = process.cpuUsage(begun);
    taken.push((user + system) / 1e6);
  }
  taken.sort((one, other) => one - other);
  const routes = laid.edges.map((edge) =>
    edge.sections.map(({ startPoint, bendPoints = [], endPoint }) => [startPoint, ...bendPoints, endPoint]).flat(),
  );
  found.push({
    seconds: taken[ROUNDS >> 1],
    width: laid.width,
    height: laid.height,
    routes: routes.map((route) => route.map(({ x, y }) => [x, y])),
  });
}
process.stdout.write(JSON.stringify(found));
