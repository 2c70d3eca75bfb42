// The signals as sound: each differs in pitch, number and direction, so that nobody has to look up (ux.md 3.1).
// [frequency in Hz, start and length in seconds, form of the wave]
export const SOUNDS = {
  ok: [[1760, 0, 0.08, "sine"]],
  wrong: [[220, 0, 0.16, "square"], [220, 0.24, 0.16, "square"]],
  over: [[740, 0, 0.18, "triangle"], [440, 0.2, 0.3, "triangle"]],
  unknown: [[520, 0, 0.07, "square"], [520, 0.12, 0.07, "square"], [520, 0.24, 0.07, "square"]],
  stop: [[330, 0, 0.45, "sawtooth"], [330, 0.6, 0.45, "sawtooth"], [330, 1.2, 0.45, "sawtooth"]],
  done: [[880, 0, 0.14, "sine"], [1320, 0.16, 0.26, "sine"]],
};

let context;

export function play(signal, volume) {
  if (!SOUNDS[signal] || !(volume > 0)) return;
  context ??= new AudioContext();
  // Until somebody has pressed a key the browser lets no page make a sound; a scan is a key.
  if (context.state === "suspended") context.resume();
  const now = context.currentTime;
  for (const [pitch, start, length, wave] of SOUNDS[signal]) {
    const tone = new OscillatorNode(context, { type: wave, frequency: pitch });
    const loud = new GainNode(context, { gain: 0 });
    loud.gain.setValueAtTime(volume / 100, now + start);
    loud.gain.setTargetAtTime(0, now + start + length, 0.015);
    tone.connect(loud).connect(context.destination);
    tone.start(now + start);
    tone.stop(now + start + length + 0.1);
  }
}

export function speak(text, volume) {
  if (!text || !window.speechSynthesis) return;
  speechSynthesis.cancel();
  speechSynthesis.speak(Object.assign(new SpeechSynthesisUtterance(text), { lang: "ko-KR", rate: 1.2, volume: volume / 100 }));
}
