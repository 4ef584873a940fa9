// `git-server-main.js ROOT PORT`: serves one repository for the demo, prints its URL, and goes on until it is ended.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { startGitServer } from './git-server.js'

const [root = '', port = '0'] = process.argv.slice(2)
const server = await startGitServer({
  root,
  port: Number(port),
  ...(process.env.PATH === undefined ? {} : { path: process.env.PATH }),
})
const url = existsSync(join(root, 'shop.git')) ? `${server.url}/shop.git` : await server.create('shop')
console.log(url)
