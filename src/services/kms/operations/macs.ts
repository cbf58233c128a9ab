import { createHmac, timingSafeEqual } from 'node:crypto';
import type { GenerateMacCommandInput, VerifyMacCommandInput } from '@aws-sdk/client-kms';
import { ServiceError } from '../../../base/errors.ts';
import type { RequestContext } from '../../service.ts';
import { checkOptions, endDryRun } from '../dry-run.ts';
import { checkLength } from '../errors.ts';
import { findKey } from '../key-identifier.ts';
import { checkAlgorithm, checkUsable } from '../key-use.ts';
import type { KmsState } from '../state.ts';

export async function generateMac(state: KmsState, input: GenerateMacCommandInput, context: RequestContext) {
  const { arn, algorithm, mac } = await compute(state, input, context, 'GenerateMac');
  endDryRun(input);
  return { Mac: mac, MacAlgorithm: algorithm, KeyId: arn };
}

export async function verifyMac(state: KmsState, input: VerifyMacCommandInput, context: RequestContext) {
  const given = input.Mac!;
  checkLength('mac', given.length, 1, 6144);
  const { arn, algorithm, mac } = await compute(state, input, context, 'VerifyMac');
  endDryRun(input);
  if (given.length !== mac.length || !timingSafeEqual(given, mac)) throw new ServiceError('KMSInvalidMacException', '');
  return { KeyId: arn, MacValid: true, MacAlgorithm: algorithm };
}

async function compute(state: KmsState, input: GenerateMacCommandInput, context: RequestContext, operation: string) {
  const algorithm = input.MacAlgorithm ?? '';
  checkAlgorithm('macAlgorithm', algorithm, 'GENERATE_VERIFY_MAC');
  const message = input.Message!;
  checkLength('message', message.length, 1, 4096);
  checkOptions(state, input);
  const key = await findKey(state, input.KeyId ?? '', context);
  checkUsable(key, operation, 'GENERATE_VERIFY_MAC', algorithm);
  const hash = `sha${algorithm.slice('HMAC_SHA_'.length)}`;
  return { arn: key.arn, algorithm, mac: createHmac(hash, key.current.key).update(message).digest() };
}
