package smooth

// over makes the sample data of o that of f, which takes over the caller's reference to o. What reads or writes sample data
// goes through o, so that a file is sent by the kernel as it would be from there, whoever else has o.
func (f *Fragment) over(o *Fragment) {
	f.of, f.payload, f.size = o, o.payload, o.size
	f.body, f.offset = payloadAt{o}, 0
}
