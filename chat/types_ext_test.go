package chat_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTypesInNode compiles programs that use the types of the events, with the stock client's types and with those of the
// chat's own client: one that is right, and one whose marked lines, and no others, are wrong.
func TestTypesInNode(t *testing.T) {
	t.Parallel()
	requireNode(t)
	compiler := filepath.Join("node_modules", "typescript", "bin", "tsc")
	_, err := os.Stat(filepath.Join(interopFolder, compiler))
	require.NoError(t, err, "run `npm ci --prefix chat/%s`", interopFolder)
	mistakes, err := os.ReadFile(filepath.Join(interopFolder, "types", "mistakes.ts"))
	require.NoError(t, err)
	var marked []int
	for i, line := range strings.Split(string(mistakes), "\n") {
		if strings.Contains(line, "// mistake:") {
			marked = append(marked, i+1)
		}
	}
	require.NotEmpty(t, marked)
	complaint := regexp.MustCompile(`(?m)^types/(\w+)\.ts\((\d+),\d+\): error`)
	for client, project := range map[string]string{"stock": "tsconfig.json", "own": "tsconfig.own.json"} {
		t.Run(client, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "node", compiler, "--pretty", "false", "-p", filepath.Join("types", project))
			cmd.Dir = interopFolder
			said, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit, "the mistakes must not compile")
			var found []int
			for _, match := range complaint.FindAllStringSubmatch(string(said), -1) {
				require.Equal(t, "mistakes", match[1], "%s", said)
				line, err := strconv.Atoi(match[2])
				require.NoError(t, err)
				found = append(found, line)
			}
			require.Equal(t, marked, slices.Compact(found), "%s", said)
		})
	}
}
