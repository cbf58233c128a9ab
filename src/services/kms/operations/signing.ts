import type { GetPublicKeyCommandInput, SignCommandInput, VerifyCommandInput } from '@aws-sdk/client-kms';
import { ServiceError } from '../../../base/errors.ts';
import type { RequestContext } from '../../service.ts';
import { checkOptions, endDryRun } from '../dry-run.ts';
import { checkEnum, checkLength, unsupported } from '../errors.ts';
import { findKey } from '../key-identifier.ts';
import { algorithmMembers, specMembers } from '../key-metadata.ts';
import { specInfo } from '../key-specs.ts';
import { checkAlgorithm, checkState, checkUsable } from '../key-use.ts';
import * as signatures from '../signatures.ts';
import type { KmsState } from '../state.ts';

export async function sign(state: KmsState, input: SignCommandInput, context: RequestContext) {
  const { key, request } = await prepare(state, input, context, 'Sign');
  endDryRun(input);
  return {
    KeyId: key.arn,
    Signature: await signatures.sign(key.current.key, request),
    SigningAlgorithm: request.algorithm,
  };
}

export async function verify(state: KmsState, input: VerifyCommandInput, context: RequestContext) {
  const signature = input.Signature!;
  checkLength('signature', signature.length, 1, 6144);
  const { key, request } = await prepare(state, input, context, 'Verify');
  endDryRun(input);
  if (!(await signatures.verify(key.publicKey, request, signature))) {
    throw new ServiceError('KMSInvalidSignatureException', '');
  }
  return { KeyId: key.arn, SignatureValid: true, SigningAlgorithm: request.algorithm };
}

export async function getPublicKey(state: KmsState, input: GetPublicKeyCommandInput, context: RequestContext) {
  checkOptions(state, input);
  const key = await findKey(state, input.KeyId ?? '', context);
  const { record, arn } = key;
  if (specInfo(record.spec).material.kind === 'secret') {
    throw unsupported(`${arn} key spec is ${record.spec} which has no public key.`);
  }
  checkState(key, ['Enabled']);
  return {
    KeyId: arn,
    PublicKey: key.publicKey.export({ format: 'der', type: 'spki' }),
    ...specMembers(record),
    KeyUsage: record.usage,
    ...algorithmMembers(record),
  };
}

async function prepare(
  state: KmsState,
  input: Omit<VerifyCommandInput, 'Signature'>,
  context: RequestContext,
  operation: string,
) {
  const algorithm = input.SigningAlgorithm ?? '';
  if (algorithm === 'SM2DSA')
    throw unsupported('SM2DSA is not supported in this region: AWS has it in China Regions only.');
  checkAlgorithm('signingAlgorithm', algorithm, 'SIGN_VERIFY');
  const message = input.Message!;
  checkLength('message', message.length, 1, 4096);
  const messageType = input.MessageType ?? 'RAW';
  checkEnum('messageType', messageType, ['RAW', 'DIGEST', 'EXTERNAL_MU']);
  checkOptions(state, input);
  const key = await findKey(state, input.KeyId ?? '', context);
  checkUsable(key, operation, 'SIGN_VERIFY', algorithm);
  const request = { spec: key.record.spec, algorithm, message, messageType };
  signatures.checkMessage(request);
  return { key, request };
}
