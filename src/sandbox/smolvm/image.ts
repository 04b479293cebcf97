import { Effect, type FileSystem } from "effect"
import type { WorkflowConfig } from "../../workflow/WorkflowConfig.ts"
import { SandboxError } from "../Sandboxes.ts"
import { isAtLeast } from "./syntax.ts"

/** Before this a server ran the commands of an image's machine beside the image, where there is no Node. */
const SERVES_IMAGES = "1.0.2"

const refuse = (detail: string, hint: string) =>
  Effect.fail(new SandboxError({ kind: "smolvm", reason: "unavailable", detail, hint }))

/** Fails where machines would boot from nothing that an agent can run in. `version`: of smolvm, null where it does not say. */
export const checkImage = Effect.fnUntraced(function* (
  fs: FileSystem.FileSystem,
  { smolvm }: WorkflowConfig,
  version: string | null
) {
  const { endpoint, from, image } = smolvm
  if (from === null && image === null) {
    return yield* refuse(
      "neither `smolvm.from` nor `smolvm.image` is set: machines would be bare",
      "make an image with `bash scripts/build-vm.sh` and name it as `smolvm.from`"
    )
  }
  if (from !== null && !(yield* Effect.orElseSucceed(fs.exists(from), () => false))) {
    return yield* refuse(
      `there is no machine image at ${from}`,
      "make it with `bash scripts/build-vm.sh`, or mend `smolvm.from`"
    )
  }
  if (from === null && endpoint !== null && version !== null && !isAtLeast(version, SERVES_IMAGES)) {
    return yield* refuse(
      `the server of smolvm ${version} runs commands beside \`smolvm.image\`, not in it`,
      "update smolvm, set `smolvm.from`, or leave `smolvm.endpoint` out"
    )
  }
})
