import { dataFolder } from './dev/data-folder.ts'
import { readLiveRun } from './dev/run-file.ts'
import { dataDirOf } from './dev/settings.ts'

const folder = dataFolder(dataDirOf(process.env))
const run = await readLiveRun(folder.runFile)
if (run?.stores === undefined) {
  console.error(`No Postgres: MEC is not running on ${folder.root}. Start it with npm run dev (same MEC_DATA_DIR).`)
  process.exitCode = 1
} else {
  console.log(run.stores.databaseUrl)
}
