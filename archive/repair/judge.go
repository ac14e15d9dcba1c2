package repair

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/validate"
)

// judge says whether the presentation plays as it now lies there.
func (w *work) judge(ctx context.Context) error {
	problem, err := w.problem(ctx)
	if err != nil {
		return err
	}
	w.a.Plays = problem == ""
	if w.a.Problem == "" {
		w.a.Problem = problem
	}
	return nil
}

// harmful are the faults with which a presentation may be opened, but is not played whole.
var harmful = []string{DurationsMissing, Hole, FragmentDamaged, FragmentTwice, SumWrong, IsmFile, IsmTrack, IsmLacks}

// holeRule is what the validator has to say of a level that lacks fragments. Servers answer 404 then, and clients take another level.
const holeRule = "SS123"

// problem returns what keeps the presentation from being played whole, or "".
func (w *work) problem(ctx context.Context) (string, error) {
	if w.a.Problem != "" {
		return w.a.Problem, nil
	}
	if w.store == nil {
		for _, f := range w.a.Findings {
			if slices.Contains(harmful, f.Code) {
				return fmt.Sprintf("%s: %s: %s", f.Code, f.File, f.Text), nil
			}
		}
	}
	src := smooth.NewFileSource(w.files, &smooth.FileOptions{Logger: slog.New(slog.DiscardHandler)})
	defer src.Close()
	p, err := src.Open(ctx, w.p.name)
	if err == nil {
		_, err = p.Snapshot(ctx)
		p.Close()
	}
	if err != nil {
		return err.Error(), ctx.Err()
	}
	report, err := validate.FS(ctx, treeFS{ctx, w.files}, w.p.name, &validate.Options{ManifestOnly: !w.opts.Payload})
	if err != nil {
		return "", err
	}
	objections := 0
	for _, v := range report.Violations {
		if v.Rule.Severity != validate.Error || v.Rule.ID == holeRule && w.a.Has(LevelLacks) {
			continue
		}
		objections++
		if w.store != nil || w.a.Faults() == 0 {
			w.a.note(Rule, v.Place.Document, v.Place.Offset, "%v", v)
		}
	}
	if objections > 0 {
		return fmt.Sprintf("the validator has %d objections", objections), nil
	}
	return "", nil
}
