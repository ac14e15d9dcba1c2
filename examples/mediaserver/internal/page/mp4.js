// The MP4 boxes that Media Source Extensions want and Smooth Streaming leaves out. A Smooth track has no header of its
// own (the manifest describes it), so the player makes one; and a Smooth fragment has no tfdt box, which gives the
// decode time (the request gave it), so the player adds it. Layouts: ISO/IEC 14496-12 and 14496-15.

const TRACK = 1; // every source buffer holds one track

const u16 = (...v) => v.flatMap((n) => [(n >> 8) & 255, n & 255]);
const u32 = (...v) => v.flatMap((n) => [(n >>> 24) & 255, (n >> 16) & 255, (n >> 8) & 255, n & 255]);
const zeros = (n) => new Array(n).fill(0);
const text = (s) => [...s].map((c) => c.charCodeAt(0));

function box(type, ...parts) {
  const body = parts.flat();
  return [...u32(8 + body.length), ...text(type), ...body];
}

const matrix = u32(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000);

// initSegment returns the header of a track: ftyp and moov, made of what the manifest says.
export function initSegment(stream, level) {
  const video = stream.type === "video";
  const entry = video ? avc1(level) : mp4a(level);
  const stbl = box("stbl", box("stsd", u32(0, 1), entry), box("stts", u32(0, 0)), box("stsc", u32(0, 0)),
    box("stsz", u32(0, 0, 0)), box("stco", u32(0, 0)));
  const minf = box("minf", video ? box("vmhd", u32(1, 0, 0)) : box("smhd", u32(0, 0)),
    box("dinf", box("dref", u32(0, 1), box("url ", u32(1)))), stbl);
  const mdia = box("mdia", box("mdhd", u32(0, 0, 0, stream.timescale, 0), u16(0x55c4, 0)),
    box("hdlr", u32(0, 0), text(video ? "vide" : "soun"), zeros(13)), minf);
  const tkhd = box("tkhd", u32(7, 0, 0, TRACK, 0, 0, 0, 0, 0), u16(video ? 0 : 0x100, 0), matrix,
    u32(level.width * 0x10000, level.height * 0x10000));
  const mvhd = box("mvhd", u32(0, 0, 0, stream.timescale, 0, 0x10000), u16(0x100, 0), u32(0, 0), matrix, zeros(24), u32(TRACK + 1));
  const moov = box("moov", mvhd, box("trak", tkhd, mdia), box("mvex", box("trex", u32(0, TRACK, 1, 0, 0, 0))));
  return new Uint8Array([...box("ftyp", text("iso6"), u32(0), text("iso6mp41")), ...moov]);
}

// avc1 builds the H.264 sample entry. CodecPrivateData is 00000001 SPS 00000001 PPS; avcC holds the same without.
function avc1(level) {
  const [sps, ...pps] = parameterSets(level.config);
  const avcC = box("avcC", [1, sps[1], sps[2], sps[3], 0xff, 0xe1], u16(sps.length), [...sps],
    [pps.length], pps.flatMap((p) => [...u16(p.length), ...p]));
  return box("avc1", zeros(6), u16(1), zeros(16), u16(level.width, level.height), u32(0x480000, 0x480000, 0), u16(1),
    zeros(32), u16(24, 0xffff), avcC);
}

function parameterSets(bytes) {
  const starts = [];
  for (let i = 0; i + 4 < bytes.length; i++) {
    if (bytes[i] === 0 && bytes[i + 1] === 0 && bytes[i + 2] === 0 && bytes[i + 3] === 1) starts.push(i);
  }
  return starts.map((s, i) => bytes.subarray(s + 4, starts[i + 1] ?? bytes.length));
}

// mp4a builds the AAC sample entry. CodecPrivateData is the AudioSpecificConfig of ISO/IEC 14496-3.
function mp4a(level) {
  const asc = audioConfig(level);
  const descriptor = (tag, body) => [tag, body.length, ...body];
  const esds = box("esds", u32(0), descriptor(3, [...u16(TRACK), 0,
    ...descriptor(4, [0x40, 0x15, 0, 0, 0, ...u32(level.bitrate, level.bitrate), ...descriptor(5, asc)]), ...descriptor(6, [2])]));
  return box("mp4a", zeros(6), u16(1), zeros(8), u16(level.channels, 16, 0, 0), u32(Math.min(level.rate, 65535) * 0x10000), esds);
}

// audioConfig makes an AudioSpecificConfig where the manifest has none: object type, rate and channels.
function audioConfig(level) {
  if (level.config.length) return [...level.config];
  const rates = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350];
  return u16((2 << 11) | (rates.indexOf(level.rate) << 7) | (level.channels << 3));
}

// mimeType returns the type of a level for MediaSource, or "" for a codec that this player does not know.
export function mimeType(stream, level) {
  const hex = (b) => b.toString(16).padStart(2, "0");
  if (stream.type === "video" && ["H264", "AVC1", "X264", "DAVC"].includes(level.fourCC)) {
    const sps = parameterSets(level.config)[0];
    return sps ? `video/mp4; codecs="avc1.${[...sps.subarray(1, 4)].map(hex).join("")}"` : "";
  }
  if (stream.type === "audio" && level.fourCC.startsWith("AAC")) {
    return `audio/mp4; codecs="mp4a.40.${level.config.length ? level.config[0] >> 3 : 2}"`;
  }
  return "";
}

// boxes lists the boxes of data between two offsets: {type, start, end}.
function boxes(data, start, end) {
  const view = new DataView(data.buffer, data.byteOffset);
  const found = [];
  for (let size; start + 8 <= end; start += size) {
    size = view.getUint32(start);
    if (size < 8 || start + size > end) throw new Error(`box of ${size} bytes at ${start}, ${end - start} left`);
    found.push({ type: String.fromCharCode(...data.subarray(start + 4, start + 8)), start, end: start + size });
  }
  return found;
}

const find = (list, type) => {
  const found = list.find((b) => b.type === type);
  if (!found) throw new Error(`the fragment has no ${type} box`);
  return found;
};

// completeFragment returns a Smooth fragment with a tfdt box behind tfhd, which says when it is decoded. Sizes and the
// offset to the samples grow by its 20 bytes.
export function completeFragment(data, time) {
  const moof = find(boxes(data, 0, data.length), "moof");
  const traf = find(boxes(data, moof.start + 8, moof.end), "traf");
  const inner = boxes(data, traf.start + 8, traf.end);
  const tfhd = find(inner, "tfhd"), trun = find(inner, "trun");
  if (inner.some((b) => b.type === "tfdt")) return data;

  const tfdt = new Uint8Array(box("tfdt", u32(0x1000000), u32(Number(time >> 32n), Number(time & 0xffffffffn))));
  const out = new Uint8Array(data.length + tfdt.length);
  out.set(data.subarray(0, tfhd.end));
  out.set(tfdt, tfhd.end);
  out.set(data.subarray(tfhd.end), tfhd.end + tfdt.length);

  const view = new DataView(out.buffer);
  const grow = (at) => view.setUint32(at, view.getUint32(at) + tfdt.length);
  grow(moof.start);
  grow(traf.start);
  if (view.getUint8(trun.start + tfdt.length + 11) & 1) grow(trun.start + tfdt.length + 16); // data_offset
  view.setUint32(tfhd.start + 8, view.getUint32(tfhd.start + 8) | 0x20000); // default-base-is-moof
  view.setUint32(tfhd.start + 12, TRACK);
  return out;
}

// payload returns the sample data of a fragment, for text one complete TTML document.
export function payload(data) {
  const mdat = find(boxes(data, 0, data.length), "mdat");
  return data.subarray(mdat.start + 8, mdat.end);
}
