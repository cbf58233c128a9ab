import type { Operation, RequestContext } from '../service.ts';
import * as aliases from './operations/aliases.ts';
import { describeCustomKeyStores } from './operations/custom-key-stores.ts';
import * as dataKeys from './operations/data-keys.ts';
import * as encryption from './operations/encryption.ts';
import * as grants from './operations/grants.ts';
import * as imports from './operations/imports.ts';
import * as keyStates from './operations/key-states.ts';
import * as keys from './operations/keys.ts';
import { getKeyLastUsage } from './operations/last-usage.ts';
import * as macs from './operations/macs.ts';
import * as multiRegion from './operations/multi-region.ts';
import * as policies from './operations/policies.ts';
import * as rotation from './operations/rotation.ts';
import * as sharedSecrets from './operations/shared-secrets.ts';
import * as signing from './operations/signing.ts';
import * as tags from './operations/tags.ts';
import type { KeyPlace } from './records.ts';
import type { KmsState } from './state.ts';

/** Everything that KMS does, on the state that `load` gives. */
export function kmsOperations(load: () => Promise<KmsState>): Readonly<Record<string, Operation>> {
  const bind =
    <Input>(operation: (state: KmsState, input: Input, context: RequestContext) => Promise<object>) =>
    async (input: Input, context: RequestContext) =>
      operation(await load(), input, context);
  /** The last successful use of each key is remembered. */
  const use =
    <Input>(operation: (state: KmsState, input: Input, context: RequestContext) => Promise<KeyUse>) =>
    async (input: Input, context: RequestContext) => {
      const state = await load();
      const output = await operation(state, input, context);
      for (const arn of [output.SourceKeyId, output.KeyId]) {
        if (arn !== undefined) state.usage.record(placeOf(arn), context.operation, context.requestId);
      }
      return output;
    };
  return {
    CancelKeyDeletion: bind(keyStates.cancelKeyDeletion),
    CreateAlias: bind(aliases.createAlias),
    CreateGrant: bind(grants.createGrant),
    CreateKey: bind(keys.createKey),
    Decapsulate: use(sharedSecrets.decapsulate),
    Decrypt: use(encryption.decrypt),
    DeleteAlias: bind(aliases.deleteAlias),
    DeleteImportedKeyMaterial: bind(imports.deleteImportedKeyMaterial),
    DeriveSharedSecret: use(sharedSecrets.deriveSharedSecret),
    DescribeCustomKeyStores: bind(describeCustomKeyStores),
    DescribeKey: bind(keys.describeKey),
    DisableKey: bind(keyStates.disableKey),
    DisableKeyRotation: bind(rotation.disableKeyRotation),
    EnableKey: bind(keyStates.enableKey),
    EnableKeyRotation: bind(rotation.enableKeyRotation),
    Encapsulate: use(sharedSecrets.encapsulate),
    Encrypt: use(encryption.encrypt),
    GenerateDataKey: use(dataKeys.generateDataKey),
    GenerateDataKeyPair: use(dataKeys.generateDataKeyPair),
    GenerateDataKeyPairWithoutPlaintext: use(dataKeys.generateDataKeyPairWithoutPlaintext),
    GenerateDataKeyWithoutPlaintext: use(dataKeys.generateDataKeyWithoutPlaintext),
    GenerateMac: use(macs.generateMac),
    GenerateRandom: bind(dataKeys.generateRandom),
    GetKeyLastUsage: bind(getKeyLastUsage),
    GetKeyPolicy: bind(policies.getKeyPolicy),
    GetKeyRotationStatus: bind(rotation.getKeyRotationStatus),
    GetParametersForImport: bind(imports.getParametersForImport),
    GetPublicKey: bind(signing.getPublicKey),
    ImportKeyMaterial: bind(imports.importKeyMaterial),
    ListAliases: bind(aliases.listAliases),
    ListGrants: bind(grants.listGrants),
    ListKeyPolicies: bind(policies.listKeyPolicies),
    ListKeyRotations: bind(rotation.listKeyRotations),
    ListKeys: bind(keys.listKeys),
    ListResourceTags: bind(tags.listResourceTags),
    ListRetirableGrants: bind(grants.listRetirableGrants),
    PutKeyPolicy: bind(policies.putKeyPolicy),
    ReEncrypt: use(encryption.reEncrypt),
    ReplicateKey: bind(multiRegion.replicateKey),
    RetireGrant: bind(grants.retireGrant),
    RevokeGrant: bind(grants.revokeGrant),
    RotateKeyOnDemand: bind(rotation.rotateKeyOnDemand),
    ScheduleKeyDeletion: bind(keyStates.scheduleKeyDeletion),
    Sign: use(signing.sign),
    TagResource: bind(tags.tagResource),
    UntagResource: bind(tags.untagResource),
    UpdateAlias: bind(aliases.updateAlias),
    UpdateKeyDescription: bind(keys.updateKeyDescription),
    UpdatePrimaryRegion: bind(multiRegion.updatePrimaryRegion),
    Verify: use(signing.verify),
    VerifyMac: use(macs.verifyMac),
  };
}

/** Members of an answer that tell which keys were used: their ARNs. */
interface KeyUse {
  readonly KeyId?: string;
  readonly SourceKeyId?: string;
}

function placeOf(arn: string): KeyPlace {
  const [, , , region, account, resource] = arn.split(':') as [string, string, string, string, string, string];
  return { account, region, id: resource.slice('key/'.length) };
}
