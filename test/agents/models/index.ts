export { type Move, refuse, say, shell, tool, USAGE } from "./moves.ts"
export { type ModelRequest, type ModelServer, startModelServer } from "./server.ts"
