import { NodeServices } from "@effect/platform-node"
import { Layer, References } from "effect"
import { layer as safeFilesLayer } from "../../src/files/NodeSafeFiles.ts"
import { layer as sandboxesLayer } from "../../src/sandbox/layers.ts"
import { ProcessTable } from "../../src/processes/ProcessTable.ts"

/** Real processes, real files, and no log. */
export const realLayer = Layer.mergeAll(sandboxesLayer, ProcessTable.layer).pipe(
  Layer.provideMerge(safeFilesLayer),
  Layer.provideMerge(NodeServices.layer),
  Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "None"))
)
