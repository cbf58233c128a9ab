import type { Operation, RequestContext } from '../service.ts';
import * as aliases from './operations/aliases.ts';
import { describeCustomKeyStores } from './operations/custom-key-stores.ts';
import * as dataKeys from './operations/data-keys.ts';
import * as encryption from './operations/encryption.ts';
import * as grants from './operations/grants.ts';
import * as imports from './operations/imports.ts';
import * as keyStates from './operations/key-states.ts';
import * as keys from './operations/keys.ts';
import * as macs from './operations/macs.ts';
import * as multiRegion from './operations/multi-region.ts';
import * as policies from './operations/policies.ts';
import * as rotation from './operations/rotation.ts';
import * as sharedSecrets from './operations/shared-secrets.ts';
import * as signing from './operations/signing.ts';
import * as tags from './operations/tags.ts';
import type { KmsState } from './state.ts';

/** Everything that KMS does, on the state that `load` gives. */
export function kmsOperations(load: () => Promise<KmsState>): Readonly<Record<string, Operation>> {
  const bind =
    <Input>(operation: (state: KmsState, input: Input, context: RequestContext) => Promise<object>) =>
    async (input: Input, context: RequestContext) =>
      operation(await load(), input, context);
  return {
    CancelKeyDeletion: bind(keyStates.cancelKeyDeletion),
    CreateAlias: bind(aliases.createAlias),
    CreateGrant: bind(grants.createGrant),
    CreateKey: bind(keys.createKey),
    Decapsulate: bind(sharedSecrets.decapsulate),
    Decrypt: bind(encryption.decrypt),
    DeleteAlias: bind(aliases.deleteAlias),
    DeleteImportedKeyMaterial: bind(imports.deleteImportedKeyMaterial),
    DeriveSharedSecret: bind(sharedSecrets.deriveSharedSecret),
    DescribeCustomKeyStores: bind(describeCustomKeyStores),
    DescribeKey: bind(keys.describeKey),
    DisableKey: bind(keyStates.disableKey),
    DisableKeyRotation: bind(rotation.disableKeyRotation),
    EnableKey: bind(keyStates.enableKey),
    EnableKeyRotation: bind(rotation.enableKeyRotation),
    Encapsulate: bind(sharedSecrets.encapsulate),
    Encrypt: bind(encryption.encrypt),
    GenerateDataKey: bind(dataKeys.generateDataKey),
    GenerateDataKeyPair: bind(dataKeys.generateDataKeyPair),
    GenerateDataKeyPairWithoutPlaintext: bind(dataKeys.generateDataKeyPairWithoutPlaintext),
    GenerateDataKeyWithoutPlaintext: bind(dataKeys.generateDataKeyWithoutPlaintext),
    GenerateMac: bind(macs.generateMac),
    GenerateRandom: bind(dataKeys.generateRandom),
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
    ReEncrypt: bind(encryption.reEncrypt),
    ReplicateKey: bind(multiRegion.replicateKey),
    RetireGrant: bind(grants.retireGrant),
    RevokeGrant: bind(grants.revokeGrant),
    RotateKeyOnDemand: bind(rotation.rotateKeyOnDemand),
    ScheduleKeyDeletion: bind(keyStates.scheduleKeyDeletion),
    Sign: bind(signing.sign),
    TagResource: bind(tags.tagResource),
    UntagResource: bind(tags.untagResource),
    UpdateAlias: bind(aliases.updateAlias),
    UpdateKeyDescription: bind(keys.updateKeyDescription),
    UpdatePrimaryRegion: bind(multiRegion.updatePrimaryRegion),
    Verify: bind(signing.verify),
    VerifyMac: bind(macs.verifyMac),
  };
}
