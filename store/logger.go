package store

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// slowStatement is when a statement is worth a line in the log.
const slowStatement = time.Second

// gormLogger logs slow and failed statements. It never sees a value: those are people's messages.
type gormLogger struct{ log *slog.Logger }

var (
	_ logger.Interface  = gormLogger{}
	_ gorm.ParamsFilter = gormLogger{}
)

func (l gormLogger) LogMode(logger.LogLevel) logger.Interface { return l }

func (l gormLogger) Info(ctx context.Context, msg string, _ ...any)  { l.log.DebugContext(ctx, msg) }
func (l gormLogger) Warn(ctx context.Context, msg string, _ ...any)  { l.log.WarnContext(ctx, msg) }
func (l gormLogger) Error(ctx context.Context, msg string, _ ...any) { l.log.ErrorContext(ctx, msg) }

// ParamsFilter keeps the values out of what Trace is given.
func (l gormLogger) ParamsFilter(_ context.Context, sql string, _ ...any) (string, []any) {
	return sql, nil
}

// Trace logs failures at the debug level only: they are returned to the caller, or retried.
func (l gormLogger) Trace(ctx context.Context, begin time.Time, fc func() (sql string, rows int64), err error) {
	took := time.Since(begin)
	switch {
	case err != nil && !errors.Is(err, gorm.ErrRecordNotFound) && l.log.Enabled(ctx, slog.LevelDebug):
		sql, _ := fc()
		l.log.DebugContext(ctx, "store: statement failed", "sql", sql, "took", took, "error", err)
	case err == nil && took > slowStatement:
		sql, rows := fc()
		l.log.WarnContext(ctx, "store: slow statement", "sql", sql, "took", took, "rows", rows)
	}
}
