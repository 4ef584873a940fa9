import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createVolumes } from '../../runtime/volumes/volumes.js'

t.test('of a container that ends again and again the files of its last two runs are kept', async t => {
  const directory = t.testdir({})
  const claim = async () => ({ Name: '', Mountpoint: '' })
  const volumes = createVolumes({ diskDir: directory, memoryDir: directory, claim })

  for (let run = 0; run < 12; run++) for (const name of ['web', 'proxy']) await volumes.terminationFile('uid', name, run)
  await volumes.terminationFile('uid', 'web', 11)

  t.same(readdirSync(join(directory, 'uid', '.ends')).sort(), ['proxy-10', 'proxy-11', 'web-10', 'web-11'])
})
