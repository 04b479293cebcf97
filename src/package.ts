import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

/** The nearest folder above with a manifest: what is built does not lie as deep as its sources. */
const rootAbove = (folder: string): string =>
  existsSync(join(folder, "package.json")) || folder === dirname(folder) ? folder : rootAbove(dirname(folder))

/** The folder of this package, absolute, whether it runs from its sources or as built. */
export const packageRoot = rootAbove(dirname(fileURLToPath(import.meta.url)))

const manifest: { readonly version: string } = JSON.parse(
  readFileSync(join(packageRoot, "package.json"), "utf8")
)

/** Which release this is. */
export const version: string = manifest.version
