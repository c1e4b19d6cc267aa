package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestErrorObject(t *testing.T) {
	t.Parallel()
	e := RateLimited(1500 * time.Millisecond)
	e.RequestID = "r1"
	e.cause = errors.New("secret")
	data, err := json.Marshal(e)
	require.NoError(t, err)
	require.JSONEq(t, `{"code":"rate_limited","message":"Too many requests; please wait a moment.","status":429,
		"retryable":true,"retry_after_ms":1500,"details":{},"request_id":"r1"}`, string(data))

	var back Error
	require.NoError(t, json.Unmarshal(data, &back))
	require.ErrorIs(t, fmt.Errorf("send: %w", e), &back)
	require.NotErrorIs(t, e, NewError(CodeForbidden, ""))
	require.Equal(t, e.RetryAfter, back.RetryAfter)
}

func TestErrorStatus(t *testing.T) {
	t.Parallel()
	for code, want := range map[Code]int{
		CodeUnauthorized: 401, CodeForbidden: 403, CodeNotAMember: 403, CodeRoomNotFound: 404, CodeMessageNotFound: 404,
		CodeMessageTooLarge: 413, CodeMessageRejected: 422, CodeRateLimited: 429, CodeInvalidArgument: 400,
		CodeConflict: 409, CodeIDConflict: 409, CodeDuplicate: 409, CodeSlowMode: 429, CodeServerBusy: 503, CodeServerDraining: 503, CodeStorageFull: 507,
		CodeInternal: 500, Code("unheard_of"): http.StatusInternalServerError,
	} {
		require.Equal(t, want, NewError(code, "").Status, code)
	}
	// An app may build its own without a status.
	data, err := json.Marshal(&Error{Code: CodeForbidden})
	require.NoError(t, err)
	require.Contains(t, string(data), `"status":403`)
}
