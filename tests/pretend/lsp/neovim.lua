-- Runs in Neovim: writes a mistake into a file of a network, and prints what spore says about it.
local function say(text) io.stdout:write(text .. '\n') end

-- What the recipe needs came with later versions than some distributions have.
vim.lsp.start = vim.lsp.start or function(config)
  local client = vim.lsp.start_client(config)
  vim.lsp.buf_attach_client(0, client)
  return client
end
vim.fs = vim.fs or {
  dirname = function(file) return vim.fn.fnamemodify(file, ':h') end,
  find = function(_, options) return { vim.fn.findfile('cloud.yaml', options.path .. ';') } end,
}

local function main()
  dofile(os.getenv('SPORE_TEST_RECIPE'))
  vim.cmd('edit ' .. os.getenv('SPORE_TEST_FILE'))
  vim.bo.filetype = 'yaml'
  local function wait(what, condition)
    if not vim.wait(60000, condition, 20) then error('no ' .. what) end
  end
  wait('client', function() return #vim.lsp.buf_get_clients(0) > 0 end)
  local count = vim.api.nvim_buf_line_count(0)
  vim.api.nvim_buf_set_lines(0, count, count, false, { 'odd: {"ä😀": 1, prts: {main: 4242}}' })
  local found
  wait('finding', function()
    for _, finding in ipairs(vim.diagnostic.get(0)) do
      if finding.message:match('prts') then found = finding end
    end
    return found
  end)
  say('finding: ' .. found.message)
  local line = vim.api.nvim_buf_get_lines(0, found.lnum, found.lnum + 1, false)[1]
  assert(line:sub(found.col + 1, found.end_col) == 'prts', 'the finding is at ' .. found.col)

  local function ask(method, params)
    local answers = vim.lsp.buf_request_sync(0, method, params, 60000)
    for _, answer in pairs(answers) do return answer.result end
  end
  for at = 0, count - 1 do
    local column = vim.api.nvim_buf_get_lines(0, at, at + 1, false)[1]:find('main')
    if column then vim.api.nvim_win_set_cursor(0, { at + 1, column - 1 }) break end
  end
  local hover = ask('textDocument/hover', vim.lsp.util.make_position_params())
  say('hover: ' .. hover.contents.value)

  local params = vim.lsp.util.make_given_range_params({ found.lnum + 1, found.col }, { found.lnum + 1, found.end_col })
  params.context = { diagnostics = {} }
  local actions = ask('textDocument/codeAction', params)
  local client = select(2, next(vim.lsp.buf_get_clients(0)))
  vim.lsp.util.apply_workspace_edit(actions[1].edit, client.offset_encoding)
  local fixed = vim.api.nvim_buf_get_lines(0, found.lnum, found.lnum + 1, false)[1]
  assert(fixed == 'odd: {"ä😀": 1, ports: {main: 4242}}', fixed)
  wait('end of the finding', function()
    for _, finding in ipairs(vim.diagnostic.get(0)) do
      if finding.message:match('prts') then return false end
    end
    return true
  end)
  say('fixed: ' .. fixed)
end

local ok, problem = pcall(main)
if not ok then say('failed: ' .. tostring(problem)) end
vim.cmd('qall!')
