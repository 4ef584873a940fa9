// Names that templates know from Helm and that have no meaning here, yet or ever: using one says so by name.
import { define, type Family, FunctionFault } from './function.js'

const sticky =
  'randAlphaNum randAlpha randNumeric randAscii randInt randBytes shuffle uuidv4 genPrivateKey genCA genCAWithKey genSelfSignedCert genSelfSignedCertWithKey genSignedCert genSignedCertWithKey htpasswd bcrypt derivePassword encryptAES'
const later =
  'toToml fromYaml fromYamlArray fromJson fromJsonArray toPrettyJson toRawJson regexFind regexFindAll regexSplit semver snakecase camelcase kebabcase title substr nospace wrap plural abbrev chunk slice seq untilStep round ceil floor urlParse urlJoin base dir ext clean typeOf typeIs deepEqual date dateModify unixEpoch sha1sum adler32sum b32enc b32dec buildCustomCert decryptAES'
const never = 'env expandenv now getHostByName ago'
const mutating = 'set unset'

export const absent: Family = [
  ...refusing(
    sticky,
    'makes a random value, and keeping that between renders comes with a later version; put it into a Secret of its own and name that',
  ),
  ...refusing('lookup', 'reads what runs, which comes with a later version'),
  ...refusing(later, 'is not supported yet'),
  ...refusing(never, 'would make the same commit render differently, so it is not there'),
  ...refusing(mutating, 'changes a map in place; in Handlebars build a new one with merge, omit or dict'),
]

function refusing(names: string, why: string): Family {
  return names.split(' ').map(name =>
    define(name, [0, Number.POSITIVE_INFINITY], () => {
      throw new FunctionFault(why)
    }),
  )
}
