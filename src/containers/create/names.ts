import type { Random } from '../../base/random.ts';

const QUALITIES =
  'amber bold brave breezy bright brisk calm clear clever coastal copper coral cosy crisp curious daring deep distant eager early easy fair fearless fleet free fresh gentle glad golden grand happy hardy keen kind lively lucky mellow merry misty nimble noble northern open patient placid plucky polished proud quick quiet rapid ready rosy salty serene sharp shining silent silver sleek smooth southern spry steady still strong sunny sure swift tidal tidy trim true vivid warm western windy wise'.split(
    ' ',
  );
const THINGS =
  'anchor bay beacon bell boat bow breeze brig buoy canoe captain chart cliff compass coral cove crab crane crest current deck dinghy dock dolphin drift dune eddy ferry fjord fleet foam galley gale gull harbor heron hull inlet island jetty kayak keel kelp ketch kite knot lagoon lantern lighthouse lock lugger mast mooring oar otter paddle pearl pelican pier pilot port quay raft reef ripple rudder sail sampan schooner seal shell shore skiff sloop spray squall star strait surf swan tern tide trawler tug wake wave wharf whale wind yawl'.split(
    ' ',
  );

/** A name for a container that was given none: a quality and a thing of the sea. */
export function inventName(random: Random, isTaken: (name: string) => boolean): string {
  const pick = (words: readonly string[]) => words[Math.floor(random.fraction() * words.length)]!;
  for (let attempt = 0; ; attempt++) {
    const name = `${pick(QUALITIES)}_${pick(THINGS)}${attempt < 8 ? '' : random.hex(4)}`;
    if (!isTaken(name)) return name;
  }
}
