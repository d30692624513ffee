/** Two sounds that nobody confuses: rising for a pass, low and twice for a refusal. WebAudio alone. */

interface Tone {
  readonly hertz: number;
  readonly startS: number;
  readonly lengthS: number;
}

const PASS: readonly Tone[] = [
  { hertz: 880, startS: 0, lengthS: 0.09 },
  { hertz: 1320, startS: 0.1, lengthS: 0.16 },
];
const REFUSAL: readonly Tone[] = [
  { hertz: 220, startS: 0, lengthS: 0.2 },
  { hertz: 196, startS: 0.28, lengthS: 0.3 },
];
const LOUDNESS = 0.4;
const EDGE_S = 0.01;

export class Sound {
  #context: AudioContext | undefined;
  muted = false;

  /** A browser lets sound begin at a touch or key only. */
  unlock(): void {
    this.#context ??= new AudioContext();
    if (this.#context.state === "suspended") void this.#context.resume();
  }

  play(isPass: boolean): void {
    const context = this.#context;
    if (this.muted || context?.state !== "running") return;
    for (const tone of isPass ? PASS : REFUSAL) sound(context, tone);
  }
}

function sound(context: AudioContext, { hertz, startS, lengthS }: Tone): void {
  const at = context.currentTime + startS;
  const gain = new GainNode(context, { gain: 0 });
  gain.gain.linearRampToValueAtTime(LOUDNESS, at + EDGE_S);
  gain.gain.setValueAtTime(LOUDNESS, at + lengthS - EDGE_S);
  gain.gain.linearRampToValueAtTime(0, at + lengthS);
  const tone = new OscillatorNode(context, { frequency: hertz });
  tone.connect(gain).connect(context.destination);
  tone.start(at);
  tone.stop(at + lengthS);
}
