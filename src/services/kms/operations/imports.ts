import type {
  DeleteImportedKeyMaterialCommandInput,
  GetParametersForImportCommandInput,
  ImportKeyMaterialCommandInput,
} from '@aws-sdk/client-kms';
import type { RequestContext } from '../../service.ts';
import { checkEnum, checkLength, invalidState, notFound, unsupported, validation } from '../errors.ts';
import { makeImportToken, readImportToken } from '../import-tokens.ts';
import { findCustomerKey } from '../key-access.ts';
import { generatePair, wrapMaterial } from '../key-material.ts';
import type { LoadedKey } from '../key-ring.ts';
import { checkState } from '../key-use.ts';
import { currentMaterial, type KeyRecord, type MaterialRecord } from '../records.ts';
import { changeKey, type KmsState } from '../state.ts';
import { checkedMaterial, incorrectMaterial, openWrapped } from '../wrapped-material.ts';

const DAY_MS = 86_400_000;
const WRAPPING_BITS: Readonly<Record<string, number>> = { RSA_2048: 2048, RSA_3072: 3072, RSA_4096: 4096 };
const WRAPPING_ALGORITHMS = [
  'RSAES_OAEP_SHA_1',
  'RSAES_OAEP_SHA_256',
  'RSA_AES_KEY_WRAP_SHA_1',
  'RSA_AES_KEY_WRAP_SHA_256',
];

/** Public key and token are good for 24 hours. Source: API reference, GetParametersForImport. */
export async function getParametersForImport(
  state: KmsState,
  input: GetParametersForImportCommandInput,
  context: RequestContext,
) {
  const { WrappingAlgorithm: algorithm = '', WrappingKeySpec: spec = '' } = input;
  if (algorithm === 'RSAES_PKCS1_V1_5')
    throw unsupported('RSAES_PKCS1_V1_5 is no longer supported: use RSAES_OAEP_SHA_256.');
  if (algorithm === 'SM2PKE' || spec === 'SM2') {
    throw unsupported('SM2 is not supported in this region: AWS has it in China Regions only.');
  }
  checkEnum('wrappingAlgorithm', algorithm, WRAPPING_ALGORITHMS);
  checkEnum('wrappingKeySpec', spec, Object.keys(WRAPPING_BITS));
  const { arn } = await importableKey(state, input.KeyId, context);
  const pair = await generatePair({ kind: 'rsa', bits: WRAPPING_BITS[spec]! });
  const validTo = state.clock.now() + DAY_MS;
  const privateKey = pair.privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64');
  return {
    KeyId: arn,
    ImportToken: makeImportToken(state.root, { keyArn: arn, algorithm, validTo, privateKey }),
    PublicKey: pair.publicKey.export({ format: 'der', type: 'spki' }),
    ParametersValidTo: new Date(validTo),
  };
}

export async function importKeyMaterial(
  state: KmsState,
  input: ImportKeyMaterialCommandInput,
  context: RequestContext,
) {
  const now = state.clock.now();
  const validTo = expiry(input, now);
  checkLength('encryptedKeyMaterial', input.EncryptedKeyMaterial!.length, 1, 6144);
  checkLength('importToken', input.ImportToken!.length, 1, 6144);
  const key = await importableKey(state, input.KeyId, context);
  checkSymmetricOnly(key.record, input);
  const { algorithm, privateKey } = readImportToken(state.root, input.ImportToken!, key.arn, now);
  const bytes = checkedMaterial(key.record.spec, openWrapped(algorithm, privateKey, input.EncryptedKeyMaterial!));
  const { id, wrapped } = wrapMaterial(state.root, key.record, bytes);
  bytes.fill(0);
  if (input.KeyMaterialId !== undefined && input.KeyMaterialId !== id) throw incorrectMaterial();
  await changeKey(state, key.record, (record) => {
    const isFirst = record.materials.length === 0;
    const type = input.ImportType ?? (isFirst ? 'NEW_KEY_MATERIAL' : 'EXISTING_KEY_MATERIAL');
    const known = record.materials.find((material) => material.id === id);
    const imported = { wrapped, validTo, description: input.KeyMaterialDescription ?? known?.description };
    if (type === 'EXISTING_KEY_MATERIAL') {
      if (!known) throw incorrectMaterial();
      const materials = record.materials.map((material) =>
        material === known ? { ...material, ...imported } : material,
      );
      return { ...record, materials };
    }
    if (known) throw incorrectMaterial();
    if (!isFirst) checkCanRotate(record, key.arn);
    const material: MaterialRecord = { id, ...imported, state: isFirst ? 'CURRENT' : 'PENDING_ROTATION' };
    return { ...record, materials: [...record.materials, material] };
  });
  return { KeyId: key.arn, KeyMaterialId: id };
}

export async function deleteImportedKeyMaterial(
  state: KmsState,
  input: DeleteImportedKeyMaterialCommandInput,
  context: RequestContext,
) {
  const key = await findCustomerKey(state, input.KeyId, context);
  checkExternal(key);
  const id = input.KeyMaterialId ?? currentMaterial(key.record)?.id;
  if (input.KeyMaterialId !== undefined && !key.record.materials.some((material) => material.id === id)) {
    throw notFound(`${key.arn} has no key material ${id}.`);
  }
  await changeKey(state, key.record, (record) => ({
    ...record,
    materials: record.materials
      .filter((material) => material.id !== id || material.state !== 'PENDING_ROTATION')
      .map((material) => (material.id === id ? { ...material, wrapped: undefined, validTo: undefined } : material)),
  }));
  return { KeyId: key.arn, ...(id === undefined ? {} : { KeyMaterialId: id }) };
}

function expiry({ ExpirationModel, ValidTo }: ImportKeyMaterialCommandInput, now: number): number | undefined {
  const model = ExpirationModel ?? 'KEY_MATERIAL_EXPIRES';
  checkEnum('expirationModel', model, ['KEY_MATERIAL_EXPIRES', 'KEY_MATERIAL_DOES_NOT_EXPIRE']);
  if (model === 'KEY_MATERIAL_DOES_NOT_EXPIRE') {
    if (ValidTo !== undefined) {
      throw validation('A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE');
    }
    return undefined;
  }
  if (ValidTo === undefined) {
    throw validation('A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES');
  }
  const validTo = ValidTo.getTime();
  if (validTo <= now) throw validation('The validTo date must be in the future');
  if (validTo > now + 365 * DAY_MS) throw validation('The validTo date must be at most 365 days in the future');
  return validTo;
}

async function importableKey(state: KmsState, keyId: string | undefined, context: RequestContext): Promise<LoadedKey> {
  const key = await findCustomerKey(state, keyId, context);
  checkExternal(key);
  checkState(key, ['Enabled', 'Disabled', 'PendingImport']);
  return key;
}

function checkExternal({ record, arn }: LoadedKey): void {
  if (record.origin !== 'EXTERNAL') {
    throw unsupported(`${arn} origin is ${record.origin} which is not valid for this operation.`);
  }
}

function checkSymmetricOnly({ spec }: KeyRecord, input: ImportKeyMaterialCommandInput): void {
  if (input.ImportType !== undefined) {
    checkEnum('importType', input.ImportType, ['NEW_KEY_MATERIAL', 'EXISTING_KEY_MATERIAL']);
  }
  const given = input.ImportType ?? input.KeyMaterialDescription ?? input.KeyMaterialId;
  if (spec !== 'SYMMETRIC_DEFAULT' && given !== undefined) {
    throw validation('ImportType, KeyMaterialDescription and KeyMaterialId go with symmetric encryption keys only.');
  }
}

/** More material than the first is for rotation on demand. */
function checkCanRotate(record: KeyRecord, arn: string): void {
  if (record.spec !== 'SYMMETRIC_DEFAULT') throw incorrectMaterial();
  if (record.multiRegion !== undefined) {
    throw unsupported(
      'New material for multi-Region keys with imported key material is not supported: reimport the first.',
    );
  }
  if (record.materials.some(({ state }) => state === 'PENDING_ROTATION')) {
    throw invalidState(`${arn} already has key material that waits for rotation.`);
  }
}
