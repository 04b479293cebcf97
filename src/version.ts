import { createRequire } from "node:module"

const manifest: { readonly version: string } = createRequire(import.meta.url)("../package.json")

/** Of this package, as published. */
export const version: string = manifest.version
